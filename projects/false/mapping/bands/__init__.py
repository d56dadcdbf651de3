"""Images wider than a band: what their bands leave for one another on the disk, and how processes share them out."""
