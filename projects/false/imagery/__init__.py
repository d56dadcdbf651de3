"""Pixels in files: images, masks, palettes, rasters, archives. Needs neither PyTorch nor MMEngine."""
