"""One evaluation of a fine-tuned model on the test list of its config."""

import json
import os
from contextlib import suppress
from pathlib import Path

from mmengine.runner import Runner

from projects.false.engine.checkpoints import read_checkpoint
from projects.false.errors import InputError


def load_weights(runner: Runner, checkpoint: str) -> None:
    """Load a checkpoint into the runner's model, every tensor of it, and no other.

    Raises:
        InputError: The file is missing, unsafe, or of another model.
    """
    loaded = read_checkpoint(checkpoint)
    state = loaded.get('state_dict') if isinstance(loaded, dict) else None
    if not isinstance(state, dict):
        raise InputError(f'{checkpoint}: holds no weights; give a checkpoint that tools/train.py wrote')
    expected = runner.model.state_dict()
    missing, unexpected = sorted(expected.keys() - state.keys()), sorted(state.keys() - expected.keys())
    other = [name for name in expected.keys() & state.keys() if expected[name].shape != state[name].shape]
    wrong = [*missing, *unexpected, *sorted(other)]
    if wrong:
        raise InputError(
            f'{checkpoint}: not a checkpoint of this model: {len(missing)} weights missing, {len(unexpected)} '
            f'unexpected, {len(other)} of another shape (first: {wrong[0]}); give the config it was trained with'
        )
    runner.load_checkpoint(checkpoint)


def test(runner: Runner, checkpoint: str) -> dict:
    """Evaluate a checkpoint.

    Returns:
        ``scores`` in percent by name, ``classes``, ``confusion_matrix`` (rows are labels) and ``checkpoint``.
    """
    load_weights(runner, checkpoint)
    found = runner.test()
    metric = runner.test_loop.evaluator.metrics[0]
    matrix = getattr(metric, 'matrix', None)
    return {
        'checkpoint': str(checkpoint),
        'scores': {name: float(value) for name, value in found.items()},
        'classes': list(runner.test_loop.dataloader.dataset.metainfo['classes']),
        'confusion_matrix': None if matrix is None else matrix.tolist(),
    }


def write_scores(found: dict, path: str) -> None:
    """Write the result of :func:`test` as JSON, whole or not at all.

    Raises:
        InputError: The file cannot be written.
    """
    target = Path(path)
    partial = target.with_name(f'.{target.name}.partial-{os.getpid()}')
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(json.dumps(found, indent=1) + '\n')
        partial.replace(target)
    except OSError as error:
        with suppress(OSError):
            partial.unlink()
        raise InputError(f'{path}: cannot be written ({error.strerror}); choose another --out') from error
