"""place and other_place: false negatives by where the views lie, instead of by what they look like."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from projects.false.common.errors import InputError, is_number

from ..comparison import Block, Comparison
from .base import DETERMINATIONS, Determination, Pairs


@DETERMINATIONS.register_module(name='place')
class Place(Determination):
    r"""Determine the negatives that lie beside their anchor in the same raster, without overlapping it.

    Land cover goes on beyond the edge of a window, so neighbours show the same more often than chance. With r the
    raster of a view and d the gap between two windows, the larger one of those along rows and columns (negative where
    they overlap):

    .. math:: F(i) = \{ j \in Neg(i) : r_i = r_j,\; 0 \le d_{ij} \le distance \}

    This is our addition to FALSE. It finds little unless neighbours meet in a batch (``NeighbourSampler``).

    Args:
        distance: Largest gap in pixels of the raster, at least 0. None takes the whole raster.

    Raises:
        InputError: ``distance`` is negative, or the loss gets no places.
    """

    reads = ('place',)

    def __init__(self, distance: float | None = 128) -> None:
        if distance is not None and (not is_number(distance) or not 0 <= distance < math.inf):
            raise InputError(
                f'distance of determination {self.name} is a number of pixels of at least 0, or None, got {distance!r}'
            )
        self.distance = math.inf if distance is None else distance

    def prepare(self, comparison: Comparison) -> Callable[[Block], Pairs]:
        """Return a function that maps a block to F(i), shape (B, C)."""
        way_out = "put ViewPlace and algorithm_keys=['place'] of PackInputs into the pipeline"
        rows, columns = self.read(comparison, 'place', way_out)

        def pairs(block: Block) -> Pairs:
            return Pairs(self.finds(*gaps(rows[block.anchors], columns)) & (block.logits > -torch.inf))

        return pairs

    def finds(self, together: Tensor, gap: Tensor) -> Tensor:
        """Return True for the pairs to determine, from what :func:`gaps` returns."""
        return together & (gap >= 0) & (gap <= self.distance)


@DETERMINATIONS.register_module(name='other_place')
class OtherPlace(Place):
    r"""Determine the negatives that lie elsewhere: in another raster, or further away than a distance.

    Alone it determines nearly everything. It is a filter for ``all_of``, where pairs from one place would teach little:

    .. math:: F(i) = \{ j \in Neg(i) : r_i \ne r_j \;\text{or}\; d_{ij} > distance \}

    Args:
        distance: See :class:`Place`. None leaves out the whole raster.

    Raises:
        InputError: ``distance`` is negative, or the loss gets no places.
    """

    def finds(self, together: Tensor, gap: Tensor) -> Tensor:
        """Return True for the pairs to determine, from what :func:`gaps` returns."""
        return ~(together & (gap <= self.distance))


def gaps(rows: Tensor, columns: Tensor) -> tuple[Tensor, Tensor]:
    """Return which windows lie in one raster, and the gaps between them.

    Args:
        rows: Raster, top, left, bottom and right, shape (R, 5).
        columns: The same, shape (C, 5).

    Returns:
        Bool and pixels, both (R, C). A gap is the larger one of those along rows and columns, negative where the
        windows overlap, and means nothing in different rasters.
    """
    raster, top, left, bottom, right = rows.T[:, :, None]
    others, other_top, other_left, other_bottom, other_right = columns.T
    along_rows = torch.maximum(other_top - bottom, top - other_bottom)
    along_columns = torch.maximum(other_left - right, left - other_right)
    return raster == others, torch.maximum(along_rows, along_columns)
