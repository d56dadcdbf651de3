"""Where the results of a test go: one JSON file, or a folder with tables and pictures."""

import json
import math
import tempfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from projects.false.atomic_write import atomic_write, write_text
from projects.false.errors import InputError

from .confusion_picture import confusion_picture
from .examples import MOST_EXAMPLES
from .tables import matrix_csv

_FILES = {'scores.json', 'confusion.csv', 'confusion.png', 'examples.png'}


def is_folder(out: str) -> bool:
    """Whether ``--out`` means a folder: one that exists, or a new name that does not end in ``.json``."""
    return Path(out).is_dir() or (Path(out).suffix.lower() != '.json' and not Path(out).is_file())


def check_outputs(out: str | None, predictions: str | None, examples: int = 0) -> None:
    """Make sure, before a long test, that its results can be written.

    Args:
        out: Folder or file for the results; a folder is made.
        predictions: Folder for the masks; made as needed.
        examples: Number of example pictures.

    Raises:
        InputError: A name is taken by a file, nothing can be written there, or ``examples`` is out of range.
    """
    if not 0 <= examples <= MOST_EXAMPLES:
        raise InputError(f'--examples is {examples}; give 0 to {MOST_EXAMPLES}')
    if out is not None:
        _check_folder('--out', out, Path(out) if is_folder(out) else Path(out).parent)
    if predictions is not None:
        _check_folder('--predictions', predictions, Path(predictions))


def write_scores(found: dict, path: str | Path) -> None:
    """Write the result of :func:`~.test_run.test` as JSON, whole or not at all; NaN becomes ``null``.

    Raises:
        InputError: The file cannot be written.
    """
    try:
        write_text(path, json.dumps(_plain(found), indent=1, allow_nan=False) + '\n')
    except OSError as error:
        raise InputError(f'{path}: cannot be written ({error.strerror}); choose another --out') from error


def write_folder(found: dict, examples: np.ndarray | None, folder: str | Path) -> list[str]:
    """Write tables and pictures of a test; ``scores.json`` comes last, so where it is, all is.

    Args:
        found: What :func:`~.test_run.test` returned.
        examples: Sheet of example pictures, (H, W, 3), uint8, BGR, or None.
        folder: Made as needed; files of an earlier test are replaced, or removed if there is nothing to replace them.

    Returns:
        Names of the files.

    Raises:
        InputError: A file cannot be written.
    """
    files: dict[str, bytes] = {}
    if found['confusion_matrix'] is not None:
        matrix, means = np.array(found['confusion_matrix']), found['scores']
        title = 'mIoU {mIoU:.2f}, OA {OA:.2f}, kappa {kappa:.2f}; rows in percent, · is below 0.5'.format(**means)
        files['confusion.csv'] = matrix_csv(matrix, found['classes']).encode()
        files['confusion.png'] = confusion_picture(matrix, found['classes'], title)
    if examples is not None:
        files['examples.png'] = cv2.imencode('.png', examples)[1].tobytes()
    try:
        for name in _FILES - files.keys():
            Path(folder, name).unlink(missing_ok=True)
        for name, data in files.items():
            with atomic_write(Path(folder, name)) as file:
                file.write(data)
    except OSError as error:
        raise InputError(f'{folder}: cannot be written ({error.strerror}); choose another --out') from error
    write_scores(found, Path(folder, 'scores.json'))
    return [*files, 'scores.json']


def _plain(value: Any) -> Any:
    """JSON has no NaN."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


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
