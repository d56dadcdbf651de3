"""Appearance: what a piece of imagery looks like, as shares of a few clusters of colour and texture, or as quantiles.

Both are fitted once per data set, without labels, and kept in ``appearance.json`` beside the images. Views with the
same appearance probably show the same land cover (determination ``evidence``).
"""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from projects.false.common.errors import Faults, InputError, check_count, check_seed
from projects.false.common.files import writable, write_text
from projects.false.imagery.palettes import MAX_CLASSES

from .pixels import PatchReader

FILE = 'appearance.json'
SIDE = 5  # pixels whose colour is averaged, along rows and columns
POINTS = 8  # described points of a window, along rows and columns
_AROUND = np.arange(SIDE) - SIDE // 2
_TO_LIGHTNESS = 100 / 255  # grey levels in units of lightness
_FORMAT = 1
_REMEDY = (
    f'fit it again with tools/fit_appearance.py DATA --overwrite, or delete {FILE}, which training then makes again'
)


@dataclass(frozen=True)
class Appearance:
    """Clusters and quantiles of the appearance of pixels.

    Attributes:
        centres: Centres of K clusters, shape (K, bands + 1), float32, in units of CIELAB; columns as in
            :func:`describe_windows`.
        quantiles: Q quantiles of every column alone, ascending, shape (Q, bands + 1), float32; Q is 0 in files of
            earlier versions.
        fitted: How they were fitted: numbers of patches and pixels, and the seed.
    """

    centres: np.ndarray
    quantiles: np.ndarray
    fitted: dict[str, Any]

    @property
    def bands(self) -> int:
        """Number of bands of the imagery."""
        return int(self.centres.shape[1]) - 1

    def __len__(self) -> int:
        return len(self.centres)

    @cached_property
    def _distance(self) -> tuple[np.ndarray, np.ndarray]:
        """Factor and summand that turn points into squared distances to the centres, up to a constant per point."""
        return -2 * self.centres.T, (self.centres**2).sum(1)

    def shares(self, image: np.ndarray, windows: np.ndarray) -> np.ndarray:
        """Return the share of every cluster in windows of an image.

        Args:
            image: (H, W, bands), uint8; the first three of them, if there are as many, are blue, green and red.
            windows: Top, left, height and width in pixels, shape (V, 4).

        Returns:
            Shape (V, K), float32; every row sums to 1.

        Raises:
            InputError: The image has another number of bands.
        """
        towards, lengths = self._distance
        nearest = (self._describe(image, windows) @ towards + lengths).argmin(1).reshape(len(windows), -1)
        nearest += len(self) * np.arange(len(windows))[:, None]
        counts = np.bincount(nearest.ravel(), minlength=len(windows) * len(self))
        shares: np.ndarray = counts.reshape(len(windows), -1).astype(np.float32) / nearest.shape[1]
        return shares

    def map(self, image: np.ndarray) -> np.ndarray:
        """Return the cluster of every pixel of an image.

        Args:
            image: See :meth:`shares`.

        Returns:
            Shape (H, W), uint8.

        Raises:
            InputError: The image has another number of bands, or there are more clusters than a map can hold.
        """
        self._check_bands(image)
        if len(self) > MAX_CLASSES:
            raise InputError(f'{len(self)} clusters do not fit into a map of at most {MAX_CLASSES} kinds; fit fewer')
        grey = _grey(image)
        means = np.dstack([_means_around(band.astype(np.float32)) for band in np.moveaxis(image, -1, 0)])
        described = _describe_means(means, _means_around(grey * grey) - _means_around(grey) ** 2)
        towards, lengths = self._distance
        nearest: np.ndarray = (described @ towards + lengths).argmin(-1).astype(np.uint8)
        return nearest

    def codes(self, image: np.ndarray, windows: np.ndarray) -> np.ndarray:
        """Return what every window shows, feature by feature, as shares above quantiles.

        Entry (f, q) is the share of points whose feature f is above its quantile q. The mean difference of two codes is
        the Wasserstein distance of the distributions of a feature, averaged over the features. Values are measured by
        their rank in the data, from 0 to 1.

        Args:
            image, windows: See :meth:`shares`.

        Returns:
            Shape (V, (bands + 1) * Q), float32, in [0, 1].

        Raises:
            InputError: The image has another number of bands, or the file has no quantiles.
        """
        if len(self.quantiles) == 0:
            raise InputError(f'the appearance was fitted by an earlier version and has no quantiles; {_REMEDY}')
        described = self._describe(image, windows).reshape(len(windows), -1, self.bands + 1, 1)
        above: np.ndarray = (described > self.quantiles.T).mean(1, dtype=np.float32)
        return above.reshape(len(windows), -1)

    def _describe(self, image: np.ndarray, windows: np.ndarray) -> np.ndarray:
        self._check_bands(image)
        return describe_windows(image, windows)

    def _check_bands(self, image: np.ndarray) -> None:
        if image.shape[2] != self.bands:
            raise InputError(
                f'the appearance was fitted on images of {self.bands} bands, these have {image.shape[2]}; {_REMEDY}'
            )

    def write(self, path: Path) -> None:
        """Write ``appearance.json``.

        Raises:
            InputError: The folder cannot be written to.
        """
        content = {'format': _FORMAT, 'fitted': self.fitted}
        for name in ('centres', 'quantiles'):
            content[name] = getattr(self, name).astype(float).round(4).tolist()
        with writable(
            path, 'write it elsewhere with tools/fit_appearance.py DATA --out FILE, and give evidence.file=FILE'
        ):
            write_text(path, json.dumps(content, indent=1) + '\n')

    @classmethod
    def read(cls, path: Path) -> 'Appearance':
        """Read ``appearance.json``.

        Raises:
            InputError: The file is missing or damaged.
        """
        try:
            content = json.loads(path.read_text(encoding='utf-8'))
            if content['format'] != _FORMAT:
                raise InputError(f'{path}: has format {content["format"]}, this version reads {_FORMAT}; {_REMEDY}')
            centres = np.array(content['centres'], np.float32)
            if centres.ndim != 2 or centres.shape[1] < 2 or not np.isfinite(centres).all():
                raise ValueError(f'centres of shape {centres.shape}')
            quantiles = np.array(content.get('quantiles', []), np.float32).reshape(-1, centres.shape[1])
            if not np.isfinite(quantiles).all() or (np.diff(quantiles, axis=0) < 0).any():
                raise ValueError('quantiles that do not ascend')
        except FileNotFoundError:
            raise InputError(f'{path}: no such file; make it with tools/fit_appearance.py DATA') from None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f'{path}: no readable appearance ({error!r}); {_REMEDY}') from error
        return cls(centres, quantiles, dict(content.get('fitted', {})))


def describe_windows(image: np.ndarray, windows: np.ndarray, points: int = POINTS) -> np.ndarray:
    """Describe the appearance at a grid of points in windows of an image.

    The 5 x 5 pixels around a point describe it: L, a and b of CIELAB of their mean colour, the mean of every band
    beyond the third, and twice the standard deviation of the grey level. Bands and grey level are scaled to the range
    of L, 0 to 100. Imagery of one or two bands has no colour: the mean of every band describes it, and the first band
    is its grey level. The cost does not depend on the size of the windows.

    Args:
        image: (H, W, bands), uint8; the first three of them, if there are as many, are blue, green and red.
        windows: Top, left, height and width in pixels, shape (V, 4).
        points: Points along rows and columns of every window.

    Returns:
        Shape (V * points * points, bands + 1), float32: window by window, row by row.
    """
    height, width, bands = image.shape
    # Pixels along rows and columns of every window, (V, 2, points, SIDE); the image's edge repeats beyond the image.
    places = (windows[:, :2, None] + windows[:, 2:, None] * _along(points)).astype(int)[..., None] + _AROUND
    places = np.minimum(np.maximum(places, 0), np.array([[[height - 1]], [[width - 1]]])).reshape(len(windows), 2, -1)
    pixels = np.ascontiguousarray(image).reshape(-1, bands).view(f'V{bands}')[:, 0]
    taken = pixels.take(places[:, 0, :, None] * width + places[:, 1, None])
    blocks = taken.view(np.uint8).reshape(-1, points * SIDE, bands)
    grey = _grey(blocks)
    variance = _block_means(grey * grey) - _block_means(grey) ** 2
    means = _block_means(blocks.astype(np.float32)).reshape(*variance.shape, bands)
    return _describe_means(means, variance).reshape(-1, bands + 1)


def _grey(pixels: np.ndarray) -> np.ndarray:
    """Return the grey level of colours, or the first of one or two bands, (H, W), float32."""
    if pixels.shape[2] < 3:
        return pixels[..., 0].astype(np.float32)
    return cv2.cvtColor(np.ascontiguousarray(pixels[..., :3]), cv2.COLOR_BGR2GRAY).astype(np.float32)


def _describe_means(means: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """Describe points by the means of their bands and the variance of their grey level, see :func:`describe_windows`.

    Shape:
        - means: (H, W, bands), float32. variance: (H, W), float32. Result: (H, W, bands + 1), float32
    """
    bands = means.shape[2]
    colors = 3 if bands >= 3 else 0
    described = np.empty((*variance.shape, bands + 1), np.float32)
    if colors:
        described[..., :3] = cv2.cvtColor(np.ascontiguousarray(means[..., :3]) / np.float32(255), cv2.COLOR_BGR2LAB)
    described[..., colors:bands] = means[..., colors:] * _TO_LIGHTNESS
    described[..., bands] = np.sqrt(np.maximum(variance, 0)) * (2 * _TO_LIGHTNESS)
    return described


@lru_cache(maxsize=4)
def _along(points: int) -> np.ndarray:
    """Return the places of points along a window, as shares of its side."""
    return (np.arange(points) + 0.5) / points


def _block_means(values: np.ndarray) -> np.ndarray:
    """Average blocks of SIDE x SIDE pixels."""
    size = values.shape[1] // SIDE, values.shape[0] // SIDE
    if values.ndim == 2 or values.shape[2] <= 4:
        return cv2.resize(values, size, interpolation=cv2.INTER_AREA)
    return np.dstack([cv2.resize(band, size, interpolation=cv2.INTER_AREA) for band in cv2.split(values)])


def _means_around(values: np.ndarray) -> np.ndarray:
    """Average the block of SIDE x SIDE pixels around every pixel; the image's edge repeats beyond the image."""
    return cv2.blur(values, (SIDE, SIDE), borderType=cv2.BORDER_REPLICATE)


def fit_appearance(
    read: Callable[[int], np.ndarray],
    count: int,
    clusters: int = 6,
    patches: int = 300,
    pixels: int = 200,
    seed: int = 0,
    quantiles: int = 7,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Appearance:
    """Fit clusters to points of some patches by k-means (k-means++, the best of five runs), and compute quantiles.

    The time does not depend on the number of patches of the data set, only on those that are read.

    Args:
        read: Returns a patch by its number, as for :func:`describe_windows`.
        count: Number of patches that there are, at least 1.
        clusters: K, at least 2.
        patches: Patches to read at most, drawn without replacement, at least 1.
        pixels: Points to describe in each at most, on a square grid, at least 1.
        seed: Seed of the draws and of k-means, at least 0.
        quantiles: Q, at least 1, for the quantiles 1 / (Q + 1) to Q / (Q + 1) of every feature.
        progress: Called after every patch with the number of patches read and to read.

    Raises:
        InputError: A number is out of range, or the points have fewer than K different appearances.
    """
    counts = {'clusters': clusters, 'patches': patches, 'pixels': pixels, 'count': count, 'quantiles': quantiles}
    for name, value in counts.items():
        check_count(name, value)
    check_seed(seed)
    if clusters < 2:
        raise InputError(f'clusters is {clusters}; one cluster tells nothing apart, give at least 2')
    generator = np.random.default_rng(seed)
    chosen = np.sort(generator.choice(count, min(patches, count), replace=False))
    points, side, faults = [], math.isqrt(pixels), Faults('patches')
    for done, number in enumerate(chosen, 1):
        with faults.noted():
            image = read(int(number))
            whole = np.array([[0, 0, *image.shape[:2]]])
            points.append(describe_windows(image, whole, side))
        progress(done, len(chosen))
    faults.check()
    sample = np.concatenate(points)
    centres = k_means(sample, clusters, seed, 5, (100, 1e-3), f'the {len(chosen)} patches show', 'appearances')
    order = np.argsort(centres[:, 0])  # from dark to bright
    cuts = np.quantile(sample, np.arange(1, quantiles + 1) / (quantiles + 1), axis=0)
    fitted = {'patches': len(chosen), 'of': count, 'pixels': side * side, 'seed': seed}
    return Appearance(centres[order].astype(np.float32), cuts.astype(np.float32), fitted)


def k_means(
    points: np.ndarray, clusters: int, seed: int, starts: int, stop: tuple[int, float], owner: str, kind: str
) -> np.ndarray:
    """Return the centres of the best of some runs of k-means, each from a start by k-means++.

    Args:
        points: Float32.
        clusters: K.
        seed: Of the starts, at least 0.
        starts: Number of runs, at least 1.
        stop: Number of rounds after which a run ends, and the shift of centres below which it ends earlier.
        owner, kind: For the message: what has too few different points, and what the points are.

    Shape:
        - points: (N, D). Result: (clusters, D)

    Raises:
        InputError: There are fewer different points than clusters.
    """
    if len(np.unique(points, axis=0)) < clusters:
        raise InputError(f'{owner} fewer than {clusters} different {kind}; give more patches, or fewer clusters')
    cv2.setRNGSeed(seed % 2**31)  # a C int
    criteria = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, *stop)
    best: Any = None  # without labels to start from
    centres: np.ndarray = cv2.kmeans(points, clusters, best, criteria, starts, cv2.KMEANS_PP_CENTERS)[2]
    return centres


def fit_folder(
    root: str | Path,
    images: str = 'images',
    names: str | None = None,
    note: Callable[[str], object] = lambda line: None,
    **settings: Any,
) -> Appearance:
    """Fit clusters to the patches of a folder, or to its packed patches where there are no image files.

    Args:
        root: Folder as a converter leaves it, or any folder of images.
        images: Its folder of images, '' for ``root`` itself.
        names: List of the patches to draw from, relative to ``root``; None takes ``splits/pretrain.txt`` if there is
            one, and all patches if not.
        note: Called with a line that names the files that are left out.
        settings: Further arguments of :func:`fit_appearance`.

    Raises:
        InputError: There are no images, the list does not fit, an image is unusable, or a number is out of range.
    """
    if names is None and (Path(root) / 'splits' / 'pretrain.txt').is_file():
        names = 'splits/pretrain.txt'
    patches = PatchReader(root, images, names, note)
    return fit_appearance(patches.image, len(patches), **settings)
