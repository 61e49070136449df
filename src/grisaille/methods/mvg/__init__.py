"""MVG: a Gaussian of deep features of healthy slices."""
