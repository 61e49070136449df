"""Synthetic PET/CT patients: body, lesions, cohorts; seeded, with truth."""
