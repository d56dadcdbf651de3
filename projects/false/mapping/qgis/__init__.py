"""What QGIS and its plugins read."""
