"""A folder of patches as a converter leaves it: description, lists and packed pixels. No PyTorch, no MMEngine."""
