"""The small CLIP that ships: taught on captioned slices of synthetic patients."""
