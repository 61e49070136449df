"""The parts of an evaluation: split, prepare, measure, sum up, write."""
