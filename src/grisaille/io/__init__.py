"""Disk to types and back; the only room that knows x, y, z order, RAS and DICOM tags."""
