"""AnomalyCLIP: what CLIP calls damaged, by object-agnostic prompts."""
