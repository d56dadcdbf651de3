"""The sides compared: every determination and loss of this project, the released procedure, and three libraries."""

import importlib
from collections.abc import Callable
from typing import NamedTuple

import torch
from mmengine.registry import MODELS
from torch import Tensor, nn

from projects.false import losses as project
from projects.false.common.errors import InputError
from projects.false.losses import DETERMINATIONS, FALSELoss, FNCLoss

from .embeddings import TEMPERATURE, THRESHOLD, Embeddings
from .rendering import released_row_by_row

RENDERING = '(a) row by row, pair by pair'
MMPRETRAIN = '(b) mmpretrain SimCLR'
LIGHTLY = '(c) lightly NTXentLoss'
METRIC_LEARNING = '(d) pytorch-metric-learning NTXentLoss'
LIBRARIES = (MMPRETRAIN, LIGHTLY, METRIC_LEARNING)
MODES = {FNCLoss: ({'mode': 'attraction'}, {'mode': 'elimination'})}
_TWO = ['evidence', {'type': 'nearest_features', 'k': 20}]
COMBINED = {'all_of': {'type': 'all_of', 'rules': _TWO}, 'any_of': {'type': 'any_of', 'rules': _TWO}, 'in_turn': None}
"""Rules for those that combine others; what takes turns costs what its rules do."""
PAIRS_LIMIT, ROW_LOOP_LIMIT, CUBE_LIMIT, SQUARE_LIMIT = 200_000, 8192, 512, 16384


class Side(NamedTuple):
    """One competitor.

    Attributes:
        name: Its name in the table.
        kind: `determination`, `loss` (of this project), `rendering` or `library`.
        prepare: Turns a batch into a function without arguments that computes the loss.
        refuse: Returns the reason not to run it on a batch, or None.
    """

    name: str
    kind: str
    prepare: Callable[[Embeddings], Callable[[], Tensor]]
    refuse: Callable[[Embeddings], str | None] = lambda batch: None


def all_sides(chunk_size: int | None = None) -> list[Side]:
    """Return all sides, in the order of the table.

    Args:
        chunk_size: Of this project's losses; None lets them choose.
    """
    return [*_determinations(chunk_size), *_losses(chunk_size), *_others()]


def false_loss(determination: str | dict, chunk_size: int | None = None) -> FALSELoss:
    """Make a FALSE loss with the temperature and the threshold of the released recipe."""
    return FALSELoss(TEMPERATURE, 1.0, THRESHOLD, determination, chunk_size=chunk_size)


def _determinations(chunk_size: int | None) -> list[Side]:
    names = sorted(DETERMINATIONS.module_dict, key=lambda name: (name != 'anchor_nearest', name != 'released', name))
    rules = {name: COMBINED.get(name, name) for name in names}
    return [
        Side(name, 'determination', lambda batch, rule=rule: _two_views(false_loss(rule, chunk_size), batch))
        for name, rule in rules.items()
        if rule is not None
    ]


def _losses(chunk_size: int | None) -> list[Side]:
    """Return the project's other losses with default arguments, in every mode."""
    kinds = [getattr(project, name) for name in project.__all__ if name in MODELS.module_dict]
    sides = []
    for kind in kinds:
        for mode in MODES.get(kind, ({},)):
            more = dict(temperature=TEMPERATURE, chunk_size=chunk_size, **mode)
            name = ' '.join([kind.__name__, *mode.values()])
            sides.append(Side(name, 'loss', lambda batch, kind=kind, more=more: _two_views(kind(**more), batch)))
    return [side for side in sides if side.name != FALSELoss.__name__]


def _others() -> list[Side]:
    return [
        Side(RENDERING, 'rendering', lambda batch: lambda: released_row_by_row(batch.rows), _too_many_pairs),
        Side(MMPRETRAIN, 'library', _mmpretrain, lambda batch: _square(MMPRETRAIN, batch)),
        Side(LIGHTLY, 'library', _lightly, lambda batch: _square(LIGHTLY, batch)),
        Side(METRIC_LEARNING, 'library', _metric_learning, _cube),
    ]


def _two_views(loss: nn.Module, batch: Embeddings) -> Callable[[], Tensor]:
    half = len(batch.rows) // 2
    known = {name: batch.known[name] for name in getattr(getattr(loss, 'determination', None), 'reads', ())}
    return lambda: loss(batch.rows[:half], batch.rows[half:], **known)


def _too_many_pairs(batch: Embeddings) -> str | None:
    if batch.pairs > PAIRS_LIMIT:
        return f'{RENDERING}: not run beyond {PAIRS_LIMIT:,} determined pairs, each is a step of Python'
    if len(batch.rows) > ROW_LOOP_LIMIT:
        return f'{RENDERING}: not run beyond {ROW_LOOP_LIMIT:,} rows'
    return None


def _square(name: str, batch: Embeddings) -> str | None:
    return None if len(batch.rows) <= SQUARE_LIMIT else f'{name}: memory grows with the square of the rows'


def _cube(batch: Embeddings) -> str | None:
    return None if len(batch.rows) <= CUBE_LIMIT else f'{METRIC_LEARNING}: memory grows with the cube of the rows'


class _Rows(nn.Module):
    """Stands for a neck: mmpretrain's algorithm takes a tuple from it."""

    def forward(self, rows: Tensor) -> tuple[Tensor]:
        return (rows,)


def _mmpretrain(batch: Embeddings) -> Callable[[], Tensor]:
    """Use `SimCLR.loss` and its head as they are, with projections instead of images."""
    from mmpretrain.models import ContrastiveHead, SimCLR

    head = ContrastiveHead(loss=dict(type='CrossEntropyLoss'), temperature=TEMPERATURE)
    algorithm = SimCLR(backbone=nn.Flatten(), neck=_Rows(), head=head).to(batch.rows.device)
    half = len(batch.rows) // 2
    return lambda: algorithm.loss([batch.rows[:half, :, None, None], batch.rows[half:, :, None, None]], [])['loss']


def _lightly(batch: Embeddings) -> Callable[[], Tensor]:
    return _two_views(_import('lightly.loss', 'lightly').NTXentLoss(temperature=TEMPERATURE), batch)


def _metric_learning(batch: Embeddings) -> Callable[[], Tensor]:
    module = _import('pytorch_metric_learning.losses', 'pytorch-metric-learning')
    loss, half = module.NTXentLoss(temperature=TEMPERATURE), len(batch.rows) // 2
    images = torch.arange(half, device=batch.rows.device).repeat(2)
    return lambda: loss(batch.rows, images)


def _import(module: str, distribution: str):
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise InputError(f'{distribution} is not installed: pip install -r requirements-bench.txt ({error})') from error
