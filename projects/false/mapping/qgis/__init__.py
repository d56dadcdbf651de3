"""Files that QGIS and its plugins read."""
