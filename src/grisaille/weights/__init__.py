"""Weights files: cards, where they are looked for, and how they are read and written."""
