"""Cars on the roads and in car parks."""

import numpy as np

from .canvas import BUILDING, CAR, ROAD, WATER, Canvas, material
from .roads import Road, StreetGrid

PAINT = {'white': 0.42, 'grey': 0.13, 'dark': 0.15, 'red': 0.18, 'blue': 0.12}
BAY = 7.0  # distance between parked cars in pixels


def draw_cars(canvas: Canvas, roads: list[Road]) -> None:
    """Put cars in their lane or at the kerb, about one per 45 pixels of road."""
    rng = canvas.rng
    for road in roads:
        for _ in range(rng.poisson(len(road.points) / 45)):
            index = rng.integers(len(road.points) - 2)
            ahead = road.points[index + 2] - road.points[index]
            angle = np.arctan2(ahead[1], ahead[0])
            offset = rng.choice([-1, 1]) * road.width * (0.25 if rng.random() < 0.6 else 0.38)
            x, y = road.points[index] + offset * np.array([-np.sin(angle), np.cos(angle)])
            _put_car(canvas, x, y, angle + rng.normal(0, 0.04))


def draw_car_parks(canvas: Canvas, grids: list[StreetGrid]) -> None:
    """Pave a few rectangles per town, with painted bays that are mostly taken."""
    rng = canvas.rng
    for grid in grids:
        rows, columns = np.nonzero(grid.district.mask)
        for _ in range(3 if grid.district.kind == 'town' else 1):
            index = rng.integers(len(rows))
            row = float(rows[index] + grid.district.window[0].start)
            column = float(columns[index] + grid.district.window[1].start)
            _car_park(canvas, column, row, grid.district.angle)


def _car_park(canvas: Canvas, x: float, y: float, angle: float) -> None:
    """Draw a car park with two rows of bays, unless something is in the way."""
    rng = canvas.rng
    length, width = BAY * rng.integers(4, 9), rng.uniform(32, 40)
    window, a, b = _local(canvas, x, y, angle, int(length / 2 + width / 2))
    label = canvas.label[window]
    inside = (np.abs(a) < length / 2) & (np.abs(b) < width / 2)
    if not inside.any() or np.isin(label[inside], (BUILDING, ROAD, WATER)).any():
        return
    bays = np.abs(b) > width / 2 - 13
    lines = (np.abs((a + length / 2 + BAY / 2) % BAY - BAY / 2) < 0.5) & bays
    tone = 1 + 0.04 * rng.standard_normal(a.shape)
    color = material(rng, {'grey': 0.8, 'dark': 0.2}) * tone[..., None]
    canvas.albedo[window][inside] = np.where(lines[..., None], 0.8, color)[inside]
    canvas.slope[window][inside] = 0
    label[inside] = ROAD
    for middle in np.arange(-length / 2 + BAY / 2, length / 2, BAY):
        for side in (-1, 1):
            if rng.random() < 0.6:
                across = side * (width / 2 - 7)
                column = x + middle * np.cos(angle) - across * np.sin(angle)
                row = y + middle * np.sin(angle) + across * np.cos(angle)
                _put_car(canvas, column, row, angle + np.pi / 2 + rng.normal(0, 0.03))


def _put_car(canvas: Canvas, x: float, y: float, angle: float) -> None:
    """Draw one car if all of it stands on road."""
    rng = canvas.rng
    length, width = rng.uniform(9, 12), rng.uniform(4.6, 5.6)
    window, a, b = _local(canvas, x, y, angle, 9)
    label = canvas.label[window]
    inside = (np.abs(a) <= length / 2) & (np.abs(b) <= width / 2)
    if not inside.any() or (label[inside] != ROAD).any():
        return
    glass = (np.abs(a - 0.16 * length) < 1) | (np.abs(a + 0.34 * length) < 0.8)
    roof = (np.abs(a + 0.08 * length) < 0.2 * length) & (np.abs(b) < 0.36 * width)
    tone = np.where(glass, 0.3, np.where(roof, 1.08, 0.95))
    canvas.albedo[window][inside] = (material(rng, PAINT) * tone[..., None])[inside]
    canvas.height[window][inside] = 3
    canvas.slope[window][inside] = 0
    label[inside] = CAR


def _local(
    canvas: Canvas, x: float, y: float, angle: float, reach: int
) -> tuple[tuple[slice, slice], np.ndarray, np.ndarray]:
    """Return a window around a point, and the coordinates of its pixels along and across a direction."""
    top, left = max(0, int(y) - reach), max(0, int(x) - reach)
    bottom = max(top, min(canvas.shape[0], int(y) + reach + 1))
    right = max(left, min(canvas.shape[1], int(x) + reach + 1))
    rows, columns = np.mgrid[top:bottom, left:right]
    along = (columns - x) * np.cos(angle) + (rows - y) * np.sin(angle)
    across = (rows - y) * np.cos(angle) - (columns - x) * np.sin(angle)
    return np.s_[top:bottom, left:right], along, across
