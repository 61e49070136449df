"""AutoPaint: what a network that knows healthy patients would paint where it is not shown."""
