"""What ``flows.export`` is made of."""
