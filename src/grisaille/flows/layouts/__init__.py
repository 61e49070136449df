"""Data sets of known layouts, as exams that are read when they are asked for."""
