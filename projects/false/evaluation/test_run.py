"""One evaluation of a fine-tuned model on the test list of its config."""

import numpy as np
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from projects.false.engine.checkpoints import read_checkpoint
from projects.false.engine.weights.key_report import compare_keys, shapes_of
from projects.false.errors import InputError

from .confusion import scores
from .tables import class_scores


def load_weights(runner: Runner, checkpoint: str) -> None:
    """Load a checkpoint into the runner's model, every tensor of it, and no other.

    Raises:
        InputError: The file is missing, unsafe, or of another model.
    """
    loaded = read_checkpoint(checkpoint)
    state = loaded.get('state_dict') if isinstance(loaded, dict) else None
    if not isinstance(state, dict):
        raise InputError(f'{checkpoint}: holds no weights; give a checkpoint that tools/train.py wrote')
    model = runner.model.module if is_model_wrapper(runner.model) else runner.model  # wrapped on several processes
    report = compare_keys(shapes_of(state), shapes_of(model.state_dict()))
    wrong = [*report.missing, *report.unexpected, *(name for name, _, _ in report.reshaped)]
    if wrong:
        raise InputError(
            f'{checkpoint}: not a checkpoint of this model: {len(report.missing)} weights missing, '
            f'{len(report.unexpected)} unexpected, {len(report.reshaped)} of another shape (first: {wrong[0]}); '
            'give the config it was trained with'
        )
    runner.load_checkpoint(checkpoint)


def test(runner: Runner, checkpoint: str) -> dict:
    """Evaluate a checkpoint.

    Returns:
        ``checkpoint``, ``scores`` in percent by name, ``classes``, and of a metric that has a confusion matrix, in the
        first process, ``per_class`` (:func:`~.tables.class_scores`) and ``confusion_matrix`` (rows are labels). Scores
        that a class does not have are NaN.
    """
    load_weights(runner, checkpoint)
    named = runner.test()
    classes = list(runner.test_loop.dataloader.dataset.metainfo['classes'])
    matrix: np.ndarray | None = getattr(runner.test_loop.evaluator.metrics[0], 'matrix', None)
    return {
        'checkpoint': str(checkpoint),
        'scores': {name: float(value) for name, value in named.items()},
        'classes': classes,
        'per_class': None if matrix is None else class_scores(scores(matrix), matrix, classes),
        'confusion_matrix': None if matrix is None else matrix.tolist(),
    }
