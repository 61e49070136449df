"""One verb a file: load, detect, train, calibrate, samples."""
