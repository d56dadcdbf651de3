"""How much of a map is what."""

import csv
import io
from collections.abc import Sequence

import numpy as np
from rasterio.crs import CRS
from rasterio.transform import Affine


def pixel_hectares(crs: CRS | None, transform: Affine | None) -> float | None:
    """Area of a pixel in hectares of the map projection; None without a projected reference system.

    Example:
        >>> pixel_hectares(CRS.from_epsg(32633), Affine(10, 0, 0, 0, -10, 0))
        0.01
    """
    if not crs or transform is None or not crs.is_projected:
        return None
    return abs(transform.determinant) * crs.linear_units_factor[1] ** 2 / 1e4


def area_table(counts: np.ndarray, classes: Sequence[str], hectares: float | None) -> str:
    """Pixels, share of the mapped ones and hectares of every class, then nodata, as CSV.

    Args:
        counts: Pixels of every value of the map, 255 for nodata.
        classes: Names of the classes.
        hectares: As of :func:`pixel_hectares`; None leaves the column empty.

    Shape:
        - counts: (256,)
    """
    mapped = max(int(counts[: len(classes)].sum()), 1)
    text = io.StringIO()
    table = csv.writer(text, lineterminator='\n')
    table.writerow(('value', 'class', 'pixels', 'percent', 'hectares'))
    for value, name in (*enumerate(classes), (255, 'nodata')):
        count = int(counts[value])
        percent = '' if value == 255 else f'{100 * count / mapped:.4f}'
        table.writerow((value, name, count, percent, '' if hectares is None else f'{count * hectares:.4f}'))
    return text.getvalue()
