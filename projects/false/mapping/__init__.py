"""Map rasters with a fine-tuned model, window by window, as class maps with the georeference of their images.

The way of an image: ``sources`` (read) -> ``windows`` (cut) -> ``segmenter`` (logits) -> ``blending`` (classes) ->
``map_files`` (write). :func:`.map_rasters.map_rasters` does all of it.
"""
