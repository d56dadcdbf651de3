"""Map rasters with a fine-tuned model, window by window, as class maps with the georeference of their images.

The way of an image: ``sources`` (find, read, scale by a ``pixel_rule``) -> ``windows`` (cut) -> ``segmenter`` (logits)
-> ``blending`` (classes) -> ``map_files`` (write). ``map_image`` joins the steps, and
:func:`.map_rasters.map_rasters` maps any number of images.
"""
