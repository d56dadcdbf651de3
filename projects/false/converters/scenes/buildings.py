"""Buildings between the streets: gable, hip and flat roofs, with ridges, tiles, parapets and roof machinery."""

import cv2
import numpy as np

from .canvas import BUILDING, ROAD, WATER, Canvas, material, pick
from .roads import StreetGrid

ROOFS = {
    'town': {'flat': 0.65, 'gable': 0.2, 'hip': 0.15},
    'suburb': {'flat': 0.1, 'gable': 0.55, 'hip': 0.35},
}
ROOF_MATERIALS = {
    'flat': {'grey': 0.42, 'white': 0.16, 'dark': 0.12, 'tile': 0.15, 'earth': 0.12, 'green': 0.03},
    'gable': {'tile': 0.6, 'grey': 0.22, 'earth': 0.08, 'dark': 0.1},
    'hip': {'tile': 0.6, 'grey': 0.22, 'earth': 0.08, 'dark': 0.1},
}


def draw_buildings(canvas: Canvas, grids: list[StreetGrid]) -> None:
    """Divide every block into plots and build on most of them."""
    for grid in grids:
        inner = grid.block - grid.width - 6
        plots = 2 if grid.district.kind == 'town' else 3
        span = int(grid.district.radius / grid.block) + 2
        cosine, sine = np.cos(grid.district.angle), np.sin(grid.district.angle)
        local = (np.arange(plots) + 0.5) * inner / plots + grid.width / 2 + 3
        lines = (np.arange(-span, span)[:, None] * grid.block + local).ravel()
        for u in lines:
            x = grid.district.centre[0] + u * cosine - lines * sine
            y = grid.district.centre[1] + u * sine + lines * cosine
            inside = grid.district.contains(y, x)
            for column, row in zip(x[inside], y[inside], strict=True):
                if canvas.rng.random() < 0.93:
                    _build(canvas, grid, column, row, inner / plots)


def _build(canvas: Canvas, grid: StreetGrid, column: float, row: float, plot: float) -> None:
    """Draw one building on a plot of ``plot`` pixels, unless something is in the way."""
    rng, kind = canvas.rng, grid.district.kind
    length, width = plot * rng.uniform(0.72, 0.98), plot * rng.uniform(0.56, 0.86)
    angle = grid.district.angle + rng.normal(0, 0.03) + (np.pi / 2 if rng.random() < 0.5 else 0)
    reach = int(np.hypot(length, width) / 2) + 2
    top, left = max(0, int(row) - reach), max(0, int(column) - reach)
    window = np.s_[top : int(row) + reach + 1, left : int(column) + reach + 1]
    label = canvas.label[window]
    y, x = np.mgrid[top : top + label.shape[0], left : left + label.shape[1]].astype(np.float32)
    x, y = x - np.float32(column), y - np.float32(row)
    cosine, sine = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    a, b = x * cosine + y * sine, y * cosine - x * sine
    roof = pick(rng, ROOFS[kind])
    inside = (np.abs(a) < length / 2) & (np.abs(b) < width / 2)
    if roof == 'flat' and rng.random() < 0.4:  # an L shape
        inside &= ~((a > length * rng.uniform(-0.1, 0.2)) & (b > width * rng.uniform(-0.1, 0.2)))
    taken = (label == ROAD) | (label == WATER) | (label == BUILDING)
    if (taken & inside).any() or inside.sum() < 60:
        return
    eaves = rng.uniform(9, 24) if kind == 'town' else rng.uniform(6, 9)
    color = material(rng, ROOF_MATERIALS[roof])
    if roof == 'flat':
        height, slope, tone = _flat_roof(rng, a, b, inside, eaves)
    else:
        height, local, tone = _pitched_roof(rng, a, b, length, width, roof == 'hip', eaves)
        slope = np.dstack([local[0] * cosine - local[1] * sine, local[0] * sine + local[1] * cosine])
    canvas.albedo[window][inside] = (color * tone[..., None])[inside]
    canvas.height[window][inside] = height[inside]
    canvas.slope[window][inside] = slope[inside]
    label[inside] = BUILDING


def _pitched_roof(
    rng: np.random.Generator, a: np.ndarray, b: np.ndarray, length: float, width: float, hip: bool, eaves: float
) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray], np.ndarray]:
    """Shape a roof of two slopes, or of four for a hip roof.

    Args:
        rng: Source of the draws.
        a, b: Coordinates of the pixels along and across the ridge, 0 at the centre.
        length, width: Size of the building in pixels.
        hip: The ends slope too.
        eaves: Height of the eaves in pixels.

    Returns:
        Height, slope along ``a`` and ``b``, and tone of every pixel.
    """
    pitch = rng.uniform(0.4, 0.7)
    side, end = width / 2 - np.abs(b), length / 2 - np.abs(a)
    on_end = (end < side) if hip else np.zeros_like(a, bool)
    rise = np.where(on_end, end, side)
    slope = (np.where(on_end, -pitch * np.sign(a), 0), np.where(on_end, 0, -pitch * np.sign(b)))
    courses = np.sin(np.where(on_end, end, side) * (2 * np.pi / 3.2))
    ridge = (np.abs(side - end) < 1 if hip else False) | (np.abs(b) < 0.8) & ~on_end
    tone = 1 + 0.06 * courses + 0.05 * rng.standard_normal(a.shape) + 0.16 * ridge
    chimney = np.hypot(a - rng.uniform(-0.3, 0.3) * length, b - 0.15 * width) < 1.6
    tone = np.where(chimney, 0.45, tone)
    return (eaves + pitch * rise).astype(np.float32), slope, tone.astype(np.float32)


def _flat_roof(
    rng: np.random.Generator, a: np.ndarray, b: np.ndarray, inside: np.ndarray, eaves: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Shape a roof of gravel or sheet metal with a bright parapet, joints and machinery.

    Args:
        rng: Source of the draws.
        a, b: Coordinates of the pixels along and across the building, 0 at the centre.
        inside: Pixels of the building.
        eaves: Height of the roof in pixels.

    Returns:
        Height, slope and tone of every pixel.
    """
    tone = 1 + 0.05 * rng.standard_normal(a.shape)
    tone += rng.uniform(0, 0.1) * (np.abs(a % 11 - 5.5) < 0.7)
    depth = cv2.distanceTransform(np.pad(inside, 1).astype(np.uint8), cv2.DIST_L2, 3)[1:-1, 1:-1]
    parapet = depth <= 1.5
    tone = np.where(parapet, tone * 1.22, np.where(depth <= 3, tone * 0.86, tone))
    height = np.full(a.shape, eaves, np.float32)
    for _ in range(rng.integers(1, 6)):
        ca, cb = rng.uniform(-0.35, 0.35, 2) * (np.ptp(a), np.ptp(b)) * 0.7
        box = (np.abs(a - ca) < rng.uniform(1.2, 4)) & (np.abs(b - cb) < rng.uniform(1.2, 4)) & (depth > 3)
        tone = np.where(box, rng.choice([0.6, 1.35, 1.5]), tone)
        height[box] += 3
    return height, np.zeros((*a.shape, 2), np.float32), tone.astype(np.float32)
