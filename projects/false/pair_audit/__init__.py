"""Audit of false negatives: check by labels if the pairs that a determination picks show the same land cover."""
