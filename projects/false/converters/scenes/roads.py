"""Roads: through roads across the scene, and street grids in built-up districts."""

from dataclasses import dataclass

import cv2
import numpy as np

from .canvas import ROAD, Canvas, material, noise
from .terrain import District

BLOCK = {'town': (82, 108), 'suburb': (66, 86)}  # pixels from street to street


@dataclass
class Road:
    """A road.

    Args:
        points: Its centre line, one point per pixel of length.
        width: Width in pixels.
        marked: It has painted markings.

    Shape:
        - points: (n, 2), column and row
    """

    points: np.ndarray
    width: float
    marked: bool


@dataclass
class StreetGrid:
    """The streets of a district.

    Args:
        district: Where they are.
        block: Distance from street to street in pixels.
        width: Width of the streets in pixels.
    """

    district: District
    block: float
    width: float


def draw_roads(canvas: Canvas, districts: list[District]) -> tuple[list[Road], list[StreetGrid]]:
    """Draw the road network; return the roads, for cars, and the grids, for buildings."""
    rng, size = canvas.rng, canvas.shape[0]
    roads = [_through_road(rng, size) for _ in range(max(1, round(size / 420 + rng.uniform(-0.5, 1))))]
    grids = []
    for district in districts:
        if district.kind in BLOCK:
            grids.append(StreetGrid(district, rng.uniform(*BLOCK[district.kind]), rng.uniform(10, 14)))
            roads += _streets(rng, grids[-1])
    _pave(canvas, roads)
    return roads, grids


def _through_road(rng: np.random.Generator, size: int) -> Road:
    """Draw the line of a winding road across the whole scene."""
    angle = rng.uniform(0, 2 * np.pi)
    along = np.array([np.cos(angle), np.sin(angle)])
    across = np.array([-along[1], along[0]])
    steps = np.arange(-0.8 * size, 0.8 * size)
    swing = (
        rng.uniform(0.02, 0.07)
        * size
        * np.sin(steps * (2 * np.pi / (size * rng.uniform(0.7, 1.6))) + rng.uniform(0, 6))
    )
    centre = size / 2 + across * rng.uniform(-0.4, 0.4) * size
    points = centre + steps[:, None] * along + swing[:, None] * across
    inside = ((points > -30) & (points < size + 30)).all(axis=1)
    return Road(points[inside].astype(np.float32), rng.uniform(15, 22), True)


def _streets(rng: np.random.Generator, grid: StreetGrid) -> list[Road]:
    """Lay straight streets in both directions of a district, as far as it reaches."""
    roads = []
    district, span = grid.district, int(grid.district.radius / grid.block) + 1
    reach = np.arange(-district.radius, district.radius)
    for direction in (0.0, np.pi / 2):
        angle = district.angle + direction
        along, across = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
        for number in range(-span, span + 1):
            points = district.centre + reach[:, None] * along + number * grid.block * across
            for run in _runs(district.contains(points[:, 1], points[:, 0])):
                if len(run) >= 40:
                    roads.append(Road(points[run].astype(np.float32), grid.width, rng.random() < 0.7))
    return roads


def _runs(flags: np.ndarray) -> list[np.ndarray]:
    """Return the indices of each unbroken run of true values."""
    found = np.flatnonzero(flags)
    return np.split(found, np.flatnonzero(np.diff(found) > 1) + 1) if len(found) else []


def _pave(canvas: Canvas, roads: list[Road]) -> None:
    """Draw surfaces, pavements, patched spots, wheel tracks and markings, narrow roads first."""
    rng, shape, size = canvas.rng, canvas.shape, canvas.shape[0]
    surface, times = np.zeros((2, size, size), np.uint8)
    color = np.zeros((size, size, 3), np.float32)
    kerb = np.zeros((size, size), np.uint8)
    for road in sorted(roads, key=lambda road: road.width):
        corner = np.maximum(road.points.min(axis=0).astype(int) - 20, 0)
        end = np.maximum(road.points.max(axis=0).astype(int) + 20, 0)
        window = np.s_[corner[1] : end[1], corner[0] : end[0]]
        one = np.zeros_like(surface[window])
        _stroke(one, road.points - corner, road.width)
        _stroke(kerb, road.points, road.width + 5)
        times[window] += one
        color[window][one > 0] = material(rng, {'grey': 0.85, 'dark': 0.1, 'earth': 0.05})
        surface[window] |= one
    paved = (kerb > 0) | (surface > 0)
    pavement = material(rng, {'grey': 0.8, 'earth': 0.2}) * 1.15
    canvas.albedo[paved] = np.where(surface[..., None] > 0, color, pavement)[paved]
    patches = (noise(rng, shape, 25) > 1.6) * -0.12
    tone = 1 + 0.035 * noise(rng, shape, 2) + 0.05 * noise(rng, shape, 40, 2) + patches + _wheel_tracks(size, roads)
    canvas.albedo[paved] *= tone[paved][:, None]
    paint = _markings(size, roads) & (cv2.dilate((times > 1).astype(np.uint8), np.ones((5, 5))) == 0) & (times == 1)
    canvas.albedo[paint] = np.array([0.82, 0.82, 0.76], np.float32)
    canvas.label[paved] = ROAD
    canvas.slope[paved] = 0


def _wheel_tracks(size: int, roads: list[Road]) -> np.ndarray:
    """Return how much darker the wheels make each pixel, (size, size), at most 0."""
    tracks = np.zeros((size, size), np.uint8)
    for road in roads:
        for side in (-0.25, 0.25):
            _stroke(tracks, _beside(road.points, side * road.width), 3)
    return cv2.blur(tracks.astype(np.float32), (3, 3)) * -0.07


def _markings(size: int, roads: list[Road]) -> np.ndarray:
    """Return where paint is, (size, size), bool: a dashed centre line, and edge lines on wide roads."""
    paint = np.zeros((size, size), np.uint8)
    for road in roads:
        if not road.marked or len(road.points) < 30:
            continue
        dash, gap = (8, 9) if road.width > 15 else (5, 7)
        for start in range(0, len(road.points) - dash, dash + gap):
            _stroke(paint, road.points[start : start + dash], 1)
        if road.width > 15:
            for side in (-1, 1):
                _stroke(paint, _beside(road.points, side * (road.width / 2 - 2)), 1)
    return paint > 0


def _beside(points: np.ndarray, distance: float) -> np.ndarray:
    """Shift a line sideways by ``distance`` pixels."""
    tangent: np.ndarray = np.gradient(points, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True) + 1e-6
    shifted: np.ndarray = points + distance * np.stack([-tangent[:, 1], tangent[:, 0]], axis=1).astype(np.float32)
    return shifted


def _stroke(target: np.ndarray, points: np.ndarray, width: float) -> None:
    """Set the pixels under a line to 1."""
    fixed = np.round(points * 16).astype(np.int32).reshape(-1, 1, 2)
    cv2.polylines(target, [fixed], False, 1, thickness=max(1, round(width)), lineType=cv2.LINE_8, shift=4)
