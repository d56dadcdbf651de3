"""False-negative audit: whether the pairs that a determination picks really show the same land cover."""
