"""Is a converted data set fit to train on: its files, its labels, and what its splits share."""
