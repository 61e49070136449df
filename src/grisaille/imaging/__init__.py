"""Arrays to arrays: resampling, intensity, SUV, body, findings, metrics; no disk, no torch."""
