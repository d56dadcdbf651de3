"""Audit a converted data set before training: its files, its labels, and overlap between its splits."""
