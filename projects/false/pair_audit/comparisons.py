"""What the loss of a training step compares, with the place of every row in the data."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from typing import NamedTuple

import torch
from torch import Tensor, nn

from projects.false.datasets.seeding import SampleIndex
from projects.false.losses.comparison import Comparison

from .replay import AuditedBatch

View = tuple[SampleIndex, int]
"""An image with the seed of its views, and which of the views."""


class AuditedComparison(NamedTuple):
    """Anchors, what they are compared with, and what each of them shows.

    Attributes:
        comparison: As the loss makes it, R anchors and C columns.
        rows: The view of every anchor, R of them.
        columns: The view of every column, C of them.
        row_classes: Pixels of every class that an anchor shows, (R, classes).
        column_classes: The same of the columns, (C, classes).
    """

    comparison: Comparison
    rows: list[View]
    columns: list[View]
    row_classes: Tensor
    column_classes: Tensor


def audited_comparisons(
    model: nn.Module, batches: Iterable[AuditedBatch], precision: Callable[[], AbstractContextManager]
) -> Iterator[AuditedComparison]:
    """Run the forward pass of training on batches, weights held still, and catch what reaches the loss.

    Batch statistics are those of the batch, as in training. A queue (FALSEMoCo) begins empty and fills with keys of
    these batches; what is compared before it is full is left out. The key encoder does not move.

    Args:
        model: A FALSE or FALSEMoCo, changed: its running statistics and its queue.
        batches: Batches in the order of training.
        precision: Opens the context of a forward pass, such as autocast.
    """
    caught: dict = {}
    queue = getattr(model, 'queue', None)
    if queue is not None:
        model.key_encoder.momentum = 0.0
        queue.image_indices.fill_(-1)
        queue.pointer.zero_()
        past: list[tuple[View, Tensor] | None] = [None] * len(queue)

    def catch(module, views, others) -> None:
        caught.update(comparison=module.compare(*views, **others))

    loss = model.head.loss_module
    handle = loss.register_forward_pre_hook(catch, with_kwargs=True)
    model.train()
    try:
        for batch in batches:
            with torch.no_grad(), precision():
                model(**model.data_preprocessor(batch.data, True), mode='loss')
            classes = batch.classes
            classes = classes if classes.shape[1] > 1 else classes.expand(-1, 2, -1)
            first = [(visit, 0) for visit in batch.visits]
            second = [(visit, 1) for visit in batch.visits]
            if queue is None:
                rows, both = [*first, *second], torch.cat([classes[:, 0], classes[:, 1]])
                yield AuditedComparison(caught['comparison'], rows, rows, both, both)
                continue
            if None not in past:
                columns, column_classes = zip(*past, strict=True)
                yield AuditedComparison(
                    caught['comparison'], first, list(columns), classes[:, 0], torch.stack(column_classes)
                )
            last = int(queue.pointer) - len(second)
            for offset, key in enumerate(zip(second, classes[:, 1], strict=True)):
                past[(last + offset) % len(past)] = key
    finally:
        handle.remove()
