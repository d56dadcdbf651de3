"""Audit of false negatives: check by labels whether the pairs that a determination picks show the same land cover."""
