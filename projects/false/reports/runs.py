"""One row of a report: what a fine-tuned model scored and where its predictions and logs lie."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from projects.false.errors import InputError

MEANS = ('mIoU', 'OA', 'mF1', 'kappa')
BASELINE = 'random'
MOST_RUNS = 5  # as many colours and dash patterns the style sheet has


@dataclass(frozen=True)
class Run:
    """A model that was fine-tuned and tested.

    Args:
        name: Where its weights started: ``'FALSE'``, ``'SimCLR'`` or ``'random'``, which the others are compared to.
        scores: What ``tools/test.py --out`` writes: ``scores`` in percent, ``classes`` and ``confusion_matrix``.
        predictions: Folder of predicted index masks, ``<patch>.png``, as ``tools/test.py --predictions`` writes them.
        training_log: Work folder of the fine-tuning, or one ``scalars.json``; None leaves its curve out.
        pretraining_log: The same for the pretraining; None for a run without one.
    """

    name: str
    scores: dict
    predictions: Path
    training_log: Path | None = None
    pretraining_log: Path | None = None

    def mean(self, key: str) -> float:
        """A mean score in percent: one of :data:`MEANS`."""
        return float(self.scores['scores'][key])

    def iou(self, label: str) -> float:
        """IoU of a class in percent; NaN where it is neither labelled nor predicted."""
        value = self.scores['scores'].get(f'IoU.{label}')
        return float('nan') if value is None else float(value)

    def matrix(self) -> np.ndarray:
        """The confusion matrix, shape (C, C), int64: rows are labels."""
        return np.asarray(self.scores['confusion_matrix'], np.int64)


def check_runs(runs: Sequence[Run], classes: Sequence[str]) -> None:
    """Check that every run holds the scores that a report shows, for the same classes.

    Raises:
        InputError: There is no run, a name occurs twice, or a part of the scores is missing or of other classes.
    """
    if not runs:
        raise InputError('runs is empty; give at least one run to report on')
    if len(runs) > MOST_RUNS:
        raise InputError(f'{len(runs)} runs, a report tells at most {MOST_RUNS} apart; give fewer')
    names = [run.name for run in runs]
    if len(set(names)) != len(names):
        raise InputError(f'a name occurs twice among the runs {names}; make them different')
    for run in runs:
        where, remedy = f'scores of run {run.name!r}', 'evaluate it again with tools/test.py --out'
        absent = [key for key in ('scores', 'classes', 'confusion_matrix') if run.scores.get(key) is None]
        absent = absent or [key for key in MEANS if key not in run.scores['scores']]
        if absent:
            raise InputError(f'{where}: {absent[0]!r} is missing; {remedy}')
        if list(run.scores['classes']) != list(classes):
            raise InputError(
                f'{where}: classes {list(run.scores["classes"])}, but the palette has {list(classes)}; '
                'give the palette that the run was trained with'
            )
        if run.matrix().shape != (len(classes), len(classes)):
            raise InputError(f'{where}: confusion matrix of shape {run.matrix().shape}; {remedy}')
