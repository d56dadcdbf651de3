"""Trees: woods, hedges between fields, and groups of crowns elsewhere."""

import cv2
import numpy as np

from .canvas import BUILDING, FIELD, ROAD, SOIL, TREE, WATER, Canvas, material, noise
from .terrain import District

TREES_PER_PIXEL = {
    'forest': 1 / 75,
    'suburb': 1 / 700,
    'town': 1 / 1600,
    'farm': 1 / 6000,
    'lake': 1 / 900,
    'barren': 1 / 2500,
}


def draw_trees(canvas: Canvas, districts: list[District]) -> None:
    """Grow crowns over free ground, with bumpy tops that catch the light like a canopy."""
    rng, shape = canvas.rng, canvas.shape
    crowns = np.zeros(shape, np.float32)
    tree = np.zeros(shape, np.int32)
    wood = np.zeros(shape, bool)
    kernels = [_crown(rng, radius) for radius in rng.uniform(4, 11.5, 48)]
    clumps = noise(rng, shape, 55, 2)
    free = np.isin(canvas.label, (FIELD, SOIL))
    positions = []
    for district in districts:
        mask, window = district.mask, district.window
        woodland = mask & (clumps[window] > -1.1) if district.kind == 'forest' else mask
        rows, columns = np.nonzero(woodland & free[window])
        rows, columns = rows + window[0].start, columns + window[1].start
        wanted = int(mask.sum() * TREES_PER_PIXEL[district.kind] * rng.uniform(0.6, 1.4))
        if len(rows) and wanted:
            chosen = rng.integers(0, len(rows), wanted)
            if district.kind != 'forest':  # trees stand in groups
                chosen = chosen[clumps[rows[chosen], columns[chosen]] > 0.2]
            positions += [(rows[i], columns[i]) for i in chosen]
        if district.kind == 'forest':
            wood[window] |= woodland
    positions += _hedges(canvas, districts)
    for number, (row, column) in enumerate(positions, start=1):
        _grow(crowns, tree, kernels[rng.integers(len(kernels))], int(row), int(column), number)
    _paint(canvas, crowns, tree, wood, len(positions))


def _crown(rng: np.random.Generator, radius: float) -> np.ndarray:
    """Return the heights of one crown, a dome with lobes and bumps; 0 outside."""
    reach = int(radius * 1.3) + 1
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(np.float32)
    angle, distance = np.arctan2(y, x), np.hypot(x, y)
    lobes = 1 + sum(rng.uniform(0.02, 0.09) * np.sin(k * angle + rng.uniform(0, 6)) for k in (2, 3, 5, 7))
    share = distance / (radius * lobes)
    bumps = cv2.GaussianBlur(rng.standard_normal(x.shape).astype(np.float32), (0, 0), 1.1) * 1.6
    dome = radius * (0.9 + 1.1 * np.sqrt(np.clip(1 - share**2, 0, 1))) + bumps
    return np.where(share < 1, np.maximum(dome, 1), 0).astype(np.float32)


def _hedges(canvas: Canvas, districts: list[District]) -> list[tuple[float, float]]:
    """Return the places of trees that stand in lines across farmland."""
    rng = canvas.rng
    found = []
    for district in districts:
        if district.kind != 'farm':
            continue
        rows, columns = np.nonzero(district.mask)
        rows, columns = rows + district.window[0].start, columns + district.window[1].start
        for _ in range(rng.integers(1, 4)):
            start = rng.integers(len(rows))
            angle = district.angle + rng.choice([0, np.pi / 2])
            for step in np.arange(-90, 90, rng.uniform(7, 12)):
                row, column = rows[start] + step * np.sin(angle), columns[start] + step * np.cos(angle)
                row, column = row + rng.normal(0, 1), column + rng.normal(0, 1)
                if district.contains(row, column):
                    found.append((row, column))
    return [(row, column) for row, column in found if canvas.label[int(row), int(column)] == FIELD]


def _grow(crowns: np.ndarray, tree: np.ndarray, kernel: np.ndarray, row: int, column: int, number: int) -> None:
    """Add one crown where it is higher than those before it, and note its number there."""
    (height, width), reach = crowns.shape, len(kernel) // 2
    top, left = max(0, row - reach), max(0, column - reach)
    bottom, right = min(height, row + reach + 1), min(width, column + reach + 1)
    part = kernel[top - row + reach : bottom - row + reach, left - column + reach : right - column + reach]
    window = np.s_[top:bottom, left:right]
    higher = part > crowns[window]
    crowns[window][higher] = part[higher]
    tree[window][higher] = number


def _paint(canvas: Canvas, crowns: np.ndarray, tree: np.ndarray, wood: np.ndarray, count: int) -> None:
    """Colour the crowns tree by tree, fill the gaps of woods, and set heights and labels."""
    rng, shape = canvas.rng, canvas.shape
    if not count:
        return
    mask = (crowns > 0) & ~np.isin(canvas.label, (BUILDING, WATER))
    # Undergrowth in the gaps of a wood belongs to the wood.
    closed = (
        cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (9, 9)))
        > 0
    )
    undergrowth = closed & ~mask & wood & ~np.isin(canvas.label, (BUILDING, WATER, ROAD))
    species = np.stack([material(rng, {'green': 0.8, 'autumn': 0.1, 'dark': 0.1}) for _ in range(6)])
    stand = np.clip((noise(rng, shape, 120) + 2) * 1.5, 0, 5).astype(int)
    species *= 0.85
    own = 1 + 0.14 * rng.standard_normal((count + 1, 1)) * np.ones(3) + 0.04 * rng.standard_normal((count + 1, 3))
    leaves = 1 + 0.12 * noise(rng, shape, 2.5) + 0.05 * rng.standard_normal(shape)
    color = species[stand] * own.astype(np.float32)[tree] * leaves[..., None]
    canvas.albedo[mask] = color[mask]
    canvas.albedo[undergrowth] = 0.7 * color[undergrowth]
    smooth = cv2.GaussianBlur(crowns, (0, 0), 0.8)
    slope = np.dstack(
        [cv2.Sobel(smooth, cv2.CV_32F, 1, 0, scale=1 / 8), cv2.Sobel(smooth, cv2.CV_32F, 0, 1, scale=1 / 8)]
    )
    canvas.slope[mask] = np.clip(slope, -1.6, 1.6)[mask] * 0.8
    canvas.height[mask] = np.maximum(canvas.height, crowns)[mask]
    canvas.label[mask | undergrowth] = TREE
