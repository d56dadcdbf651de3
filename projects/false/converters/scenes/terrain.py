"""The ground of a scene: districts of different land use, with fields, meadows, bare soil and water."""

from dataclasses import dataclass

import cv2
import numpy as np

from .canvas import FIELD, SOIL, WATER, Canvas, material, noise, pick, rotated

DISTRICT_WEIGHTS = {'town': 0.25, 'suburb': 0.24, 'farm': 0.2, 'forest': 0.1, 'lake': 0.12, 'barren': 0.09}
DISTRICT_SPACING = 165  # pixels between district centres: a patch of 64 to 256 pixels sees one or a few of them


@dataclass
class District:
    """A connected area of one land use.

    Args:
        kind: A key of :data:`DISTRICT_WEIGHTS`.
        angle: Direction of its streets and fields in radians.
        cells: Number of the district of every pixel; all districts of a scene share this array.
        number: This district's number in ``cells``.
        window: The rectangle around it.
    """

    kind: str
    angle: float
    cells: np.ndarray
    number: int
    window: tuple[slice, slice]

    @property
    def mask(self) -> np.ndarray:
        """The pixels of ``window`` that belong to the district."""
        mask: np.ndarray = self.cells[self.window] == self.number
        return mask

    @property
    def centre(self) -> np.ndarray:
        """Column and row of the middle of ``window``."""
        rows, columns = self.window
        return np.array([(columns.start + columns.stop) / 2, (rows.start + rows.stop) / 2])

    @property
    def radius(self) -> float:
        """Half the diagonal of ``window`` in pixels."""
        rows, columns = self.window
        return float(np.hypot(rows.stop - rows.start, columns.stop - columns.start) / 2)

    def contains(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Return which points of the plane lie in the district; coordinates may be fractions or outside the scene."""
        rows, columns = np.floor(rows).astype(int), np.floor(columns).astype(int)
        inside: np.ndarray = (
            (rows >= 0) & (rows < self.cells.shape[0]) & (columns >= 0) & (columns < self.cells.shape[1])
        )
        inside &= self.cells[np.where(inside, rows, 0), np.where(inside, columns, 0)] == self.number
        return inside


def draw_terrain(canvas: Canvas) -> list[District]:
    """Cover the canvas with ground and return its districts."""
    districts = _districts(canvas)
    _draw_meadow(canvas)
    for district in districts:
        part = canvas.part(district.window)
        if district.kind == 'farm':
            _draw_fields(part, district)
        elif district.kind == 'barren':
            draw_soil(part, district.mask)
        elif district.kind in ('town', 'suburb'):
            share = 0.3 if district.kind == 'town' else -0.6
            draw_soil(part, district.mask & (noise(canvas.rng, part.shape, 40, 2) < share))
    for district in districts:
        if district.kind == 'lake':
            _draw_lake(canvas.part(district.window), district)
    if canvas.rng.random() < 0.35:
        _draw_river(canvas)
    return districts


def _districts(canvas: Canvas) -> list[District]:
    """Divide the scene into cells around jittered centres, with wavy borders, and draw the use of each."""
    rng, size = canvas.rng, canvas.shape[0]
    count = int(np.ceil(size / DISTRICT_SPACING)) + 1
    jittered = np.moveaxis(np.mgrid[:count, :count], 0, -1).reshape(-1, 2) + rng.uniform(-0.15, 0.65, (count**2, 2))
    centres = np.unique(np.clip(jittered * DISTRICT_SPACING, 0, size - 1).astype(int), axis=0)
    seeds = np.ones((size, size), np.uint8)
    seeds[centres[:, 0], centres[:, 1]] = 0
    _, cells = cv2.distanceTransformWithLabels(seeds, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    along = np.arange(size, dtype=np.float32)
    x = along[None, :] + 9 * noise(rng, canvas.shape, 50, 3)
    y = along[:, None] + 9 * noise(rng, canvas.shape, 50, 3)
    cells = cv2.remap(cells.astype(np.float32), x, y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE).astype(int)
    taste = rng.dirichlet(9 * np.array(list(DISTRICT_WEIGHTS.values())))
    weights = {kind: own + DISTRICT_WEIGHTS[kind] for kind, own in zip(DISTRICT_WEIGHTS, taste, strict=True)}
    main_angle = rng.uniform(0, np.pi)
    districts = []
    for index, window in enumerate(_bounding_windows(cells, len(centres)), start=1):
        angle = main_angle + (rng.uniform(0, np.pi) if rng.random() < 0.35 else rng.normal(0, 0.08))
        kind = pick(rng, weights)
        if window is not None:
            districts.append(District(kind, angle, cells, index, window))
    return districts


def _bounding_windows(cells: np.ndarray, count: int) -> list[tuple[slice, slice] | None]:
    """Return the rectangle around each of the cells 1 to ``count``; None for a cell without pixels."""
    first, last = np.full((2, count + 1), len(cells)), np.full((2, count + 1), -1)
    for axis, coordinates in enumerate(np.indices(cells.shape)):
        np.minimum.at(first[axis], cells, coordinates)
        np.maximum.at(last[axis], cells, coordinates)
    windows: list[tuple[slice, slice] | None] = []
    for cell in range(1, count + 1):
        (top, left), (bottom, right) = first[:, cell], last[:, cell]
        windows.append((slice(top, bottom + 1), slice(left, right + 1)) if bottom >= 0 else None)
    return windows


def _draw_meadow(canvas: Canvas) -> None:
    """Cover everything with mottled grass that has the faint stripes of mowing."""
    rng, shape = canvas.rng, canvas.shape
    along, _ = rotated(shape, rng.uniform(0, np.pi))
    stripes = np.sign(np.sin(along * (np.pi / rng.uniform(4, 6))))
    tone = 1 + 0.07 * stripes + 0.06 * noise(rng, shape, 30, 4) + 0.05 * noise(rng, shape, 2)
    first, second = (material(rng, {'green': 0.8, 'straw': 0.2}) * 1.15 for _ in range(2))
    blend = np.clip(0.5 + 0.4 * noise(rng, shape, 90, 2), 0, 1)[..., None]
    canvas.albedo[:] = (first * blend + second * (1 - blend)) * tone[..., None]
    canvas.label[:] = FIELD


def _draw_fields(canvas: Canvas, district: District, styles: int = 64) -> None:
    """Draw parcels side by side, each with its own crop colour, row direction and row spacing."""
    rng, shape, mask = canvas.rng, canvas.shape, district.mask
    u, v = rotated(shape, district.angle)
    length, width = rng.uniform(90, 170), rng.uniform(45, 85)
    column = np.floor(u / length)
    shifted = v + (column * 37.0) % width
    parcel = ((column * 7 + np.floor(shifted / width) * 13).astype(int)) % styles
    crops = {'green': 0.55, 'earth': 0.23, 'straw': 0.22}
    colors = np.stack([material(rng, crops) for _ in range(styles)])
    spacing = rng.uniform(4.5, 9, styles).astype(np.float32)
    contrast = rng.uniform(0.09, 0.26, styles).astype(np.float32)
    turned = rng.random(styles) < 0.3
    across = np.where(turned[parcel], u, v) + 0.8 * noise(rng, shape, 60)
    rows = np.sin(across * (2 * np.pi / spacing[parcel])) * contrast[parcel]
    tramlines = np.abs(across % 34 - 17) < 1.2
    border = np.minimum(u % length, shifted % width) < 2.5
    tone = 1 + rows + 0.05 * noise(rng, shape, 3) + 0.08 * noise(rng, shape, 45, 3) - 0.16 * tramlines - 0.22 * border
    canvas.albedo[mask] = (colors[parcel] * tone[..., None])[mask]
    canvas.label[mask] = FIELD


def draw_soil(canvas: Canvas, mask: np.ndarray) -> None:
    """Draw bare ground: blotches of all sizes, heaps and stones, without a direction."""
    if not mask.any():
        return
    rng, shape = canvas.rng, canvas.shape
    first, second = (material(rng, {'earth': 0.92, 'grey': 0.08}) for _ in range(2))
    blend = np.clip(0.5 + 0.5 * noise(rng, shape, 36, 4), 0, 1)[..., None]
    stones = np.clip(noise(rng, shape, 4, 2) - 1.3, 0, 1.5)
    tone = 1 + 0.09 * noise(rng, shape, 9, 3) + 0.3 * stones
    relief = 1.6 * noise(rng, shape, 14, 2)
    slope = np.dstack(
        [cv2.Sobel(relief, cv2.CV_32F, 1, 0, scale=1 / 8), cv2.Sobel(relief, cv2.CV_32F, 0, 1, scale=1 / 8)]
    )
    canvas.albedo[mask] = ((first * blend + second * (1 - blend)) * tone[..., None])[mask]
    canvas.slope[mask] = slope[mask]
    canvas.label[mask] = SOIL


def _draw_lake(canvas: Canvas, district: District) -> None:
    """Fill a district with water, often behind a strip of bare shore."""
    mask = district.mask
    depth = cv2.distanceTransform(np.pad(mask, 1, mode='edge').astype(np.uint8), cv2.DIST_L2, 5)[1:-1, 1:-1]
    shore = np.where(mask, depth + 5 * noise(canvas.rng, canvas.shape, 40, 2), 0)
    if canvas.rng.random() < 0.6:
        draw_soil(canvas, mask & (shore > 4) & (shore <= 12))
    _draw_water(canvas, shore - 12)


def _draw_river(canvas: Canvas) -> None:
    """Draw a winding river across the whole canvas."""
    rng, shape = canvas.rng, canvas.shape
    size = shape[0]
    angle, width = rng.uniform(0, np.pi), rng.uniform(12, 24)
    _, across = rotated(shape, angle)
    middle = across.mean() + rng.uniform(-0.3, 0.3) * size
    bend = 0.12 * min(size, 400) * noise(rng, shape, 180)
    depth = width - np.abs(across - middle + bend)
    if rng.random() < 0.5:
        draw_soil(canvas, (depth > -6) & (depth <= 0))
    _draw_water(canvas, depth)


def _draw_water(canvas: Canvas, depth: np.ndarray) -> None:
    """Draw smooth water with fine ripples where ``depth``, the distance from the shore in pixels, is positive."""
    rng, shape = canvas.rng, canvas.shape
    mask = depth > 0
    color = material(rng, {'dark': 0.48, 'murky': 0.4, 'silt': 0.12})
    along, across = rotated(shape, rng.uniform(0, np.pi))
    phase = 2.5 * noise(rng, shape, 22, 2) + 2 * np.sin(across / 17)
    swell = np.sin(along * (2 * np.pi / rng.uniform(6, 11)) + phase)
    wind = np.clip(0.5 + 0.5 * noise(rng, shape, 70, 2), 0, 1.5)
    tone = 1 + rng.uniform(0.01, 0.05) * swell * wind + 0.05 * noise(rng, shape, 120)
    tone += 0.2 * np.exp(-np.maximum(depth, 0) / 6)
    canvas.albedo[mask] = (color * tone[..., None])[mask]
    canvas.slope[mask] = 0
    canvas.height[mask] = 0
    canvas.label[mask] = WATER
