"""DICOM in: series to volumes, SEG and RTSTRUCT to labels."""
