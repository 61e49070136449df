"""The pipeline published with AutoPaint, rebuilt from a description: loop, network, losses and masks."""
