"""One evaluation of a fine-tuned model on the test list of its config."""

import numpy as np
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from projects.false.engine.checkpoints.files import read_checkpoint
from projects.false.engine.weights.exact_weights import exact_weights

from .scores import scores
from .tables import class_scores


def load_weights(runner: Runner, checkpoint: str) -> None:
    """Load a checkpoint into the runner's model, every tensor of it, and no other.

    Raises:
        InputError: The file is missing, unsafe, or of another model.
    """
    model = runner.model.module if is_model_wrapper(runner.model) else runner.model  # wrapped on several processes
    exact_weights(read_checkpoint(checkpoint), model, checkpoint)
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
