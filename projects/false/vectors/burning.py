"""Burn labels onto an image: index masks, window by window, and how far polygons of different classes overlap."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from rasterio.crs import CRS
from rasterio.features import rasterize
from rasterio.transform import Affine

from projects.false.common.errors import InputError
from projects.false.imagery.palettes import IGNORE_INDEX

from .labels import Features, in_system, vector_libraries
from .reference_systems import check_flat


class Place(NamedTuple):
    """Where an image lies.

    Args:
        name: Its path, for messages.
        crs: Reference system.
        transform: Of its pixels.
        height, width: Size in pixels.
    """

    name: str
    crs: CRS
    transform: Affine
    height: int
    width: int

    def outline(
        self, shapely: Any, row: int = 0, column: int = 0, height: int | None = None, width: int | None = None
    ) -> Any:
        """Return a rectangle of pixels as a polygon; the whole image by default."""
        bottom = row + (self.height if height is None else height)
        right = column + (self.width if width is None else width)
        corners = [(column, row), (right, row), (right, bottom), (column, bottom)]
        return shapely.polygons([self.transform @ corner for corner in corners])


class Burner:
    """Labels that are burnt onto images.

    A pixel belongs to a polygon that contains its centre. Where polygons of several classes do, the class that comes
    first wins; ignored ones win over all.

    Args:
        labels: The labels.
        classes: Names in the order of their indices; other names are ignored (255).
        priority: Names of classes that win over the others, the strongest first; the others follow in their order.
        buffer: Half of the width of lines and the radius of points, in metres.
        area: Where labels count; pixels outside are ignored. None for everywhere.
        background: Class of the pixels inside the area that no polygon covers; None ignores them.
        ignored: Classes whose pixels are ignored as well; they keep their indices.

    Raises:
        InputError: A name is no class.
    """

    def __init__(
        self,
        labels: Sequence[Features],
        classes: Sequence[str],
        priority: Sequence[str] = (),
        buffer: float | None = None,
        area: Sequence[Features] | None = None,
        background: str | None = None,
        ignored: Sequence[str] = (),
    ) -> None:
        known = [name for name in classes if name not in ignored]
        for option, names in (('--priority', priority), ('--background', [background] if background else [])):
            absent = [name for name in names if name not in known]
            if absent:
                raise InputError(f'{option} {absent[0]}: is none of the classes {", ".join(known)}; check the name')
        if buffer is not None and not 0 < buffer < float('inf'):
            raise InputError(f'--buffer {buffer:g}: give a width above 0 in metres')
        self._labels, self._area, self._buffer, self._classes = labels, area, buffer, list(classes)
        self._order = [*priority, *(name for name in known if name not in priority)]
        self._background = IGNORE_INDEX if background is None else self._classes.index(background)
        self._known: dict[str, tuple[_Layer, _Layer | None]] = {}

    def on(self, place: Place) -> 'BurntImage':
        """Return the labels of one image.

        Raises:
            InputError: The labels cannot be projected to the reference system of the image.
        """
        check_flat(place.crs, place.name)
        key = place.crs.to_wkt()
        if key not in self._known:
            area = None if self._area is None else _Layer(self._area, place.crs, None, lambda name: (0, 0))
            self._known[key] = _Layer(self._labels, place.crs, self._buffer, self._rank), area
        labels, area = self._known[key]
        return BurntImage(place, labels, area, self._background, self._classes)

    def _rank(self, name: str) -> tuple[int, int]:
        """Return how strong a class is, and its index."""
        if name not in self._order:
            return len(self._order), IGNORE_INDEX
        return len(self._order) - 1 - self._order.index(name), self._classes.index(name)


class _Layer:
    """Polygons in one reference system, the weakest first."""

    def __init__(self, features: Sequence[Features], crs: CRS, buffer: float | None, rank: Any) -> None:
        _, self.shapely = vector_libraries()
        moved = [in_system(one, crs, buffer) for one in features]
        geometries = np.concatenate([one.geometries for one in moved])
        ranks = np.array([rank(name) for one in moved for name in one.classes], int).reshape(-1, 2)
        order = np.argsort(ranks[:, 0], kind='stable')
        self.geometries, self.strength, self.values = geometries[order], *ranks[order].T
        self.tree = self.shapely.STRtree(self.geometries)

    def burn(
        self, box: Any, transform: Affine, shape: tuple[int, int], fill: int, value: int | None = None
    ) -> np.ndarray:
        """Burn what lies in a box; ``value`` takes the place of the class indices."""
        found = np.sort(self.tree.query(box, predicate='intersects'))
        if not len(found):
            return np.full(shape, fill, np.uint8)
        shapes = [(self.geometries[i], int(self.values[i]) if value is None else value) for i in found]
        burnt: np.ndarray = rasterize(shapes, shape, fill, transform=transform, dtype='uint8')
        return burnt


class BurntImage:
    """The labels of one image; :meth:`Burner.on` makes it."""

    def __init__(self, place: Place, labels: _Layer, area: _Layer | None, background: int, classes: list[str]) -> None:
        self._place, self._labels, self._area = place, labels, area
        self._background, self._classes = background, classes

    def read(self, row: int, column: int, height: int, width: int) -> np.ndarray:
        """Return class indices of a window; 255 is ignored.

        Shape:
            - result: (height, width), uint8
        """
        box = self._place.outline(self._labels.shapely, row, column, height, width)
        transform = self._place.transform @ Affine.translation(column, row)
        mask = self._labels.burn(box, transform, (height, width), self._background)
        if self._area is not None:
            mask[self._area.burn(box, transform, (height, width), 0, 1) == 0] = IGNORE_INDEX
        return mask

    def count(self) -> int:
        """Return the number of polygons that touch the image."""
        return len(self._labels.tree.query(self._place.outline(self._labels.shapely), predicate='intersects'))

    def overlaps(self) -> Counter[tuple[str, str]]:
        """Return about how many pixels polygons of two classes share, the winning class first."""
        layer, shapely = self._labels, self._labels.shapely
        outline = self._place.outline(shapely)
        here = np.sort(layer.tree.query(outline, predicate='intersects'))
        geometries, values, strength = layer.geometries[here], layer.values[here], layer.strength[here]
        tree = shapely.STRtree(geometries)
        one, two = tree.query(geometries, predicate='intersects')
        keep = strength[one] > strength[two]
        one, two = one[keep], two[keep]
        shared = shapely.intersection(shapely.intersection(geometries[one], geometries[two]), outline)
        keep = shapely.area(shared) > 0  # others only touch
        names = [*self._classes, *['ignored'] * (IGNORE_INDEX + 1 - len(self._classes))]
        parts: defaultdict[tuple[str, str], list[Any]] = defaultdict(list)
        for winner, loser, part in zip(values[one[keep]], values[two[keep]], shared[keep], strict=True):
            parts[names[winner], names[loser]].append(part)
        pixel = abs(self._place.transform.determinant)
        # Polygons of one class may overlap, too; their common ground counts once.
        found = {pair: round(shapely.area(shapely.union_all(some)) / pixel) for pair, some in parts.items()}
        return Counter({pair: count for pair, count in found.items() if count})
