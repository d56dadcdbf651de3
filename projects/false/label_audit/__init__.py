"""Audit a converted data set before training: its files, its labels, and what its splits share."""
