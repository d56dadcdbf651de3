"""From a fine-tuned model to maps: any raster, window by window, as a class map in the same place.

reading -> windows -> segmenter -> blending -> writing. ``map_rasters`` of :mod:`.map_run` does all of it.
"""
