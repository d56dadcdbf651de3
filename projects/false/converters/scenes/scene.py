"""One scene, drawn from the ground up and photographed: sun, shadows, haze, colour cast, optics."""

import cv2
import numpy as np

from projects.false.common.errors import InputError

from .buildings import draw_buildings
from .canvas import Canvas, noise
from .cars import draw_car_parks, draw_cars
from .roads import draw_roads
from .terrain import draw_terrain
from .trees import draw_trees


def draw_scene(size: int, seed: int, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw a picture that looks like aerial imagery of 0.5 m pixels, and its exact labels.

    Towns, suburbs, farmland, woods, lakes and barren ground lie side by side. Classes share their colours (grey roofs
    and roads, brown fields, soil and tiles, dark water and shade), so that only texture, shape and context tell them
    apart. A shadow has the label of what lies under it. Lawns and meadows are ``field``, pavements are ``road``.

    Args:
        size: Side in pixels, at least 64.
        seed: Seed of the data set, at least 0.
        number: Number of the scene in the data set, at least 0; the same seed and number give the same scene.

    Shape:
        - picture: (size, size, 3), uint8, RGB
        - labels: (size, size), uint8, classes of the palette ``synthetic``

    Raises:
        InputError: An argument is out of range.
    """
    if size < 64:
        raise InputError(f'size is {size}; give at least 64 pixels')
    if seed < 0 or number < 0:
        raise InputError(f'seed is {seed} and number is {number}; give 0 or more')
    canvas = Canvas.blank(size, np.random.default_rng([seed, number]))
    districts = draw_terrain(canvas)
    roads, grids = draw_roads(canvas, districts)
    draw_car_parks(canvas, grids)
    draw_buildings(canvas, grids)
    draw_cars(canvas, roads)
    draw_trees(canvas, districts)
    return take_picture(canvas), canvas.label


def take_picture(canvas: Canvas) -> np.ndarray:
    """Light and expose a scene; light and camera vary between scenes and within a scene.

    Shape:
        - result: (S, S, 3), uint8, RGB
    """
    rng, shape = canvas.rng, canvas.shape
    azimuth, elevation = rng.uniform(0, 2 * np.pi), np.radians(rng.uniform(32, 60))
    sun = np.array([np.cos(azimuth), np.sin(azimuth)], np.float32)  # towards the sun: columns, rows
    facing = -(canvas.slope @ sun) * np.float32(1 / np.tan(elevation))
    direct = np.clip(1 + facing, 0.15, 1.75) * (1 - _shadow(canvas.height, sun, np.tan(elevation)))
    sky = np.array([0.32, 0.35, 0.41], np.float32) * rng.uniform(0.85, 1.15)
    light = direct[..., None] * np.array([0.74, 0.71, 0.64], np.float32) + sky
    image: np.ndarray = canvas.albedo * light
    cast = rng.uniform(0.92, 1.08, 3) * rng.uniform(0.88, 1.14)
    region = 1 + 0.07 * noise(rng, shape, 150)[..., None] + 0.03 * np.dstack([noise(rng, shape, 120) for _ in range(3)])
    image *= (cast * region).astype(np.float32)
    haze = rng.uniform(0, 0.14)
    image = image * (1 - haze) + haze * np.array([0.72, 0.78, 0.86], np.float32)
    image = np.clip(image, 0, 1.2) ** np.float32(rng.uniform(0.76, 0.92))
    image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.5, 0.75))
    image = image + rng.standard_normal(image.shape, dtype=np.float32) * np.float32(rng.uniform(0.008, 0.018))
    picture: np.ndarray = (np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8)
    return picture


def _shadow(height: np.ndarray, sun: np.ndarray, rise: float) -> np.ndarray:
    """Return 1 where something hides the sun and 0 elsewhere, with blurred edges.

    Args:
        height: Heights in pixels.
        sun: Unit vector towards the sun, columns before rows.
        rise: Rise of a sun ray per pixel.
    """
    rows, columns = height.shape
    shadow = np.zeros_like(height)
    for distance in range(1, int(height.max() / rise) + 2):
        shift = np.array([[1, 0, -distance * sun[0]], [0, 1, -distance * sun[1]]], np.float32)
        moved = cv2.warpAffine(height, shift, (columns, rows), flags=cv2.INTER_NEAREST)
        shadow = np.maximum(shadow, moved - distance * rise - height)
    return cv2.blur((shadow > 0.6).astype(np.float32), (2, 2))
