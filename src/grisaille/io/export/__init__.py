"""Results as the objects that hospitals keep: DICOM SEG, SR and parametric maps that refer to their images."""
