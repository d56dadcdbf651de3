"""Which rows an anchor is compared with, and the similarities, a block of anchors at a time.

In a batch the rows are ordered [view 1 of images 0..N-1; view 2 of images 0..N-1]; the positive of row i is
p(i) = (i + N) mod 2N and Neg(i) is every row other than i and p(i). On several processes N counts the images of all of
them: view 1 of all ranks, rank by rank, then view 2. Each process compares its own rows with all of them.

With a queue (MoCo) the anchors are the queries, the positive of a query is its own key, and Neg(i) is in the queue.

The matrix of similarities never needs to exist: a block holds some anchors and all their columns, so that whatever is
decided row by row (a maximum, the k most similar) is decided within a block.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor


@dataclass(frozen=True)
class Block:
    """Some anchors, compared with all columns.

    Attributes:
        logits: s_ij = c_ij / temperature where column j is in Neg(i), -inf elsewhere, shape (B, C).
        positive_logits: s_ip, shape (B, 1).
        anchors: Which of this process's anchors these are.
        first: Place of the first anchor among all rows of the batch; 0 with a queue.
        comparison: What they are a part of.
    """

    logits: Tensor
    positive_logits: Tensor
    anchors: slice
    first: int
    comparison: 'Comparison'

    @property
    def temperature(self) -> float:
        """tau."""
        return self.comparison.temperature


@dataclass(frozen=True)
class Comparison:
    """Anchors, what they are compared with, and their positives.

    Attributes:
        rows: Unit rows of this process's anchors, shape (R, D), float32 or float64.
        columns: Unit rows of all processes or of the queue, shape (C, D).
        positive_logits: s_ip, shape (R, 1).
        temperature: tau.
        images: N, images of the batch over all processes; None with a queue.
        runs: Where this process's anchors are among the rows of the batch: (first anchor, its place, length).
        excluded: True where a place of the queue is no negative, shape (R, C) or (C,); None excludes nothing.
        labels: Labels of the rows, shape (R,), and of the columns, shape (C,), or shares of classes, shapes
            (R, classes) and (C, classes); None without labels.
        spread: The anchors are spread over several processes.
        chunk_size: Anchors a block; None chooses.
    """

    rows: Tensor
    columns: Tensor
    positive_logits: Tensor
    temperature: float
    images: int | None = None
    runs: tuple[tuple[int, int, int], ...] = field(default=())
    excluded: Tensor | None = None
    labels: tuple[Tensor, Tensor] | None = None
    spread: bool = False
    chunk_size: int | None = None

    def negatives(self) -> Tensor | int:
        """|Neg(i)|: one number, or shape (R, 1) where places of a queue are excluded."""
        if self.images is not None:
            return len(self.columns) - 2
        if self.excluded is None:
            return len(self.columns)
        return (len(self.columns) - self.excluded.sum(-1, keepdim=True)).expand(len(self.rows), 1)

    def blocks(self, later_columns: bool = False) -> Iterator[Block]:
        """All anchors, block by block.

        Args:
            later_columns: Leave out the columns before a block's first anchor, so that its column 0 is that anchor.
                Half of the work, if there are enough blocks.
        """
        for start, place, length in self.runs:
            step = self.chunk_size or anchors_a_block(len(self.columns), self.rows.is_cuda)
            if later_columns:
                step = min(step, max(64, length // 4))
            for offset in range(0, length, step):
                anchors = slice(start + offset, start + min(offset + step, length))
                yield self.block(anchors, place + offset, place + offset if later_columns else 0)

    @torch.no_grad()
    def block(self, anchors: slice, first: int, column: int = 0) -> Block:
        """The anchors of a slice, which lie at ``first`` in the batch, against the columns from ``column`` on."""
        with torch.autocast(self.rows.device.type, enabled=False):
            logits = (self.rows[anchors] / self.temperature) @ self.columns[column:].T
        if self.images is not None:
            self.fill_own(logits, first - column, -torch.inf)
        elif self.excluded is not None:
            logits.masked_fill_(self.excluded if self.excluded.ndim == 1 else self.excluded[anchors], -torch.inf)
        return Block(logits, self.positive_logits[anchors].detach(), anchors, first, self)

    def fill_own(self, matrix: Tensor, column: int, value: float) -> None:
        """Write a value where anchors of a batch meet themselves, the first one at ``column``, and their positives."""
        for own in (column, column + self.images, column - self.images):
            matrix.diagonal(own).fill_(value)


def anchors_a_block(columns: int, on_gpu: bool) -> int:
    """Anchors that make a fast block: one that a CPU need not find new pages for, or that fills a GPU."""
    return max(64, (1 << (27 if on_gpu else 21)) // max(columns, 1))
