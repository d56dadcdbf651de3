"""Polygons: read as labels and burnt onto images, traced from maps, and styled for QGIS."""
