"""The canvas of a scene, and the noise and materials that its layers share."""

from dataclasses import dataclass

import cv2
import numpy as np

ROAD, BUILDING, FIELD, TREE, WATER, SOIL, CAR = range(7)  # the classes of the palette 'synthetic'

# RGB reflectance of the darkest and the brightest sample. Several classes share a material on purpose: a grey pixel
# may be road or roof, a brown one soil, ploughed field or roof tiles, a dark one water or shade.
MATERIALS = {
    'grey': ((0.24, 0.24, 0.25), (0.60, 0.59, 0.56)),
    'dark': ((0.10, 0.13, 0.13), (0.24, 0.26, 0.24)),
    'white': ((0.72, 0.72, 0.70), (0.92, 0.92, 0.90)),
    'earth': ((0.34, 0.26, 0.18), (0.70, 0.57, 0.43)),
    'tile': ((0.42, 0.22, 0.15), (0.68, 0.42, 0.30)),
    'straw': ((0.52, 0.47, 0.26), (0.76, 0.70, 0.46)),
    'green': ((0.15, 0.24, 0.11), (0.40, 0.48, 0.24)),
    'red': ((0.45, 0.06, 0.05), (0.75, 0.14, 0.10)),
    'blue': ((0.08, 0.14, 0.40), (0.18, 0.30, 0.65)),
    'murky': ((0.14, 0.20, 0.15), (0.36, 0.38, 0.27)),
    'silt': ((0.26, 0.21, 0.14), (0.44, 0.37, 0.27)),
    'autumn': ((0.28, 0.19, 0.10), (0.50, 0.38, 0.20)),
}


@dataclass
class Canvas:
    """The layers of a scene while it is drawn.

    ``rng`` draws everything random about the scene.

    Shape:
        - label, height: (H, W), uint8 classes and float32 heights above ground in pixels
        - albedo: (H, W, 3), float32 reflectance
        - slope: (H, W, 2), float32, rise of the surface per pixel along columns and rows
    """

    rng: np.random.Generator
    label: np.ndarray
    albedo: np.ndarray
    height: np.ndarray
    slope: np.ndarray

    @classmethod
    def blank(cls, size: int, rng: np.random.Generator) -> 'Canvas':
        """Return a flat, black canvas of ``field``, ``size`` pixels square."""
        flat = np.zeros((size, size), np.float32)
        return cls(rng, np.full((size, size), FIELD, np.uint8), np.dstack([flat] * 3), flat, np.dstack([flat] * 2))

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in pixels."""
        height, width = self.label.shape
        return height, width

    def part(self, window: tuple[slice, slice]) -> 'Canvas':
        """Return a view of a rectangle: drawing on it draws on this canvas."""
        layers = (self.label, self.albedo, self.height, self.slope)
        return Canvas(self.rng, *(layer[window] for layer in layers))


def noise(rng: np.random.Generator, shape: tuple[int, int], scale: float, octaves: int = 1) -> np.ndarray:
    """Draw smooth noise of mean 0 and standard deviation about 1.

    Args:
        rng: Source of the draws.
        shape: Height and width in pixels.
        scale: Size of the largest blobs in pixels.
        octaves: Number of layers, each with blobs of half the size and 0.6 times the strength of the layer before.

    Shape:
        - result: ``shape``, float32
    """
    total = np.zeros(shape, np.float32)
    for octave in range(octaves):
        cell = max(1.0, scale / 2**octave)
        rows, columns = (int(np.ceil(side / cell)) + 3 for side in shape)
        coarse = rng.standard_normal((rows, columns), dtype=np.float32)
        scaled = (max(shape[1], round(columns * cell)), max(shape[0], round(rows * cell)))
        fine = cv2.resize(coarse, scaled, interpolation=cv2.INTER_CUBIC)
        total += fine[: shape[0], : shape[1]] * np.float32(0.6**octave)
    # The expected deviation (0.86 for bicubic interpolation), since the measured one of a small window may be far off.
    deviation = 0.86 * sum(0.36**octave for octave in range(octaves)) ** 0.5
    scaled_noise: np.ndarray = total / np.float32(deviation)
    return scaled_noise


def pick(rng: np.random.Generator, weights: dict[str, float]) -> str:
    """Draw one key by its weight."""
    bounds = np.cumsum(list(weights.values()))
    return list(weights)[int(np.searchsorted(bounds, rng.random() * bounds[-1], side='right'))]


def material(rng: np.random.Generator, weights: dict[str, float]) -> np.ndarray:
    """Draw a reflectance: a material by weight, then a slightly tinted sample of it.

    Shape:
        - result: (3,), float32
    """
    low, high = np.array(MATERIALS[pick(rng, weights)])
    sample: np.ndarray = (low + (high - low) * rng.random()) * rng.uniform(0.93, 1.07, 3)
    return sample.astype(np.float32)


def rotated(shape: tuple[int, int], angle: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the coordinates of all pixels along a direction and across it.

    Shape:
        - results: ``shape``, float32, in pixels
    """
    x, y = np.arange(shape[1], dtype=np.float32)[None, :], np.arange(shape[0], dtype=np.float32)[:, None]
    cosine, sine = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    return x * cosine + y * sine, y * cosine - x * sine
