"""One scene, from the ground up."""

import numpy as np

from projects.false.errors import InputError

from .buildings import draw_buildings
from .canvas import Canvas
from .cars import draw_car_parks, draw_cars
from .light import take_picture
from .roads import draw_roads
from .terrain import draw_terrain
from .trees import draw_trees


def draw_scene(size: int, seed: int, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw a picture that looks like aerial imagery of 0.5 m pixels, and its exact labels.

    Towns, suburbs, farmland, woods, lakes and barren ground lie side by side. Classes share their colours (grey roofs
    and roads, brown fields, soil and tiles, dark water and shade): texture, shape and surroundings tell them apart.
    A shadow has the label of what lies under it. Lawns and meadows are ``field``, pavements are ``road``.

    Args:
        size: Side in pixels, at least 64.
        seed: Seed of the data set, at least 0.
        number: Number of the scene in the data set; the same seed and number give the same scene.

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
