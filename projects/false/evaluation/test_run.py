"""One evaluation of a fine-tuned model on the test list of its config."""

import json
import tempfile
from pathlib import Path

from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from projects.false.atomic_write import write_text
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
    model = runner.model.module if is_model_wrapper(runner.model) else runner.model  # wrapped on several processes
    expected = model.state_dict()
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


def check_outputs(out: str | None, predictions: str | None) -> None:
    """Make sure, before a long test, that its results can be written.

    Args:
        out: File for :func:`write_scores`.
        predictions: Folder for the masks; made as needed.

    Raises:
        InputError: A name is taken by a file or a folder, or nothing can be written there.
    """
    if out is not None:
        if Path(out).is_dir():
            raise InputError(f'--out {out} is a folder; give the name of a file in it')
        _check_folder('--out', out, Path(out).parent)
    if predictions is not None:
        _check_folder('--predictions', predictions, Path(predictions))


def _check_folder(option: str, given: str, folder: Path) -> None:
    file = next((place for place in (folder, *folder.parents) if place.is_file()), None)
    if file is not None:
        raise InputError(f'{option} {given}: {file} is a file; choose another {option}')
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise InputError(f'{option} {given}: cannot be written ({error.strerror}); choose another {option}') from error


def write_scores(found: dict, path: str) -> None:
    """Write the result of :func:`test` as JSON, whole or not at all.

    Raises:
        InputError: The file cannot be written.
    """
    try:
        write_text(path, json.dumps(found, indent=1) + '\n')
    except OSError as error:
        raise InputError(f'{path}: cannot be written ({error.strerror}); choose another --out') from error
