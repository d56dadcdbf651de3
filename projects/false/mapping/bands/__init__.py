"""Images wider than a band: the files that bands leave for one another, and the division of bands among processes."""
