"""Where on Earth an image lies, as dataset.json has it."""

from rasterio.io import DatasetReader


def georeference(raster: DatasetReader) -> dict[str, object]:
    """Coordinate reference system and transform of an open raster, each only where there is one.

    Returns:
        ``crs``: 'EPSG:32633', or WKT where the system has no such number. ``transform``: ``[a, b, c, d, e, f]`` with
        x = a column + b row + c and y = d column + e row + f for the upper left corner of a pixel.
    """
    found: dict[str, object] = {}
    if raster.crs:
        code = raster.crs.to_epsg()
        found['crs'] = f'EPSG:{code}' if code else raster.crs.to_wkt()
    if not raster.transform.is_identity:
        found['transform'] = list(raster.transform)[:6]
    return found


def patch_transform(transform: list[float], row: int, col: int) -> list[float]:
    """The transform of a patch, from that of its source and its first pixel.

    Example:
        >>> patch_transform([0.5, 0, 100.0, 0, -0.5, 200.0], row=10, col=20)
        [0.5, 0, 110.0, 0, -0.5, 195.0]
    """
    a, b, c, d, e, f = transform
    return [a, b, a * col + b * row + c, d, e, d * col + e * row + f]
