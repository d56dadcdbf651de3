"""From downloads or rasters to a folder of patches, one module per data set. Needs neither PyTorch nor MMEngine."""
