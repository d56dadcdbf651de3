"""Evaluate a checkpoint on the test list of its config, and write scores, confusion matrix and example pictures."""

import io
import json
import math
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from mmengine.dataset import pseudo_collate
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from projects.false.common.errors import InputError
from projects.false.common.files import atomic_write, writable, write_text
from projects.false.engine.checkpoints.files import read_checkpoint
from projects.false.engine.weights.matching import exact_weights, weights_digest
from projects.false.imagery.palettes import IGNORE_INDEX, Palette
from projects.false.reports.pictures import contact_sheet, enlarged, mask_picture
from projects.false.reports.samples import image_of

from .scores import class_scores, matrix_csv, scores

MOST_EXAMPLES = 50  # rows of 290 pixels; viewers do not open longer pictures
_MOST_NUMBERS = 24  # classes; with more, the numbers in the cells of the matrix would overlap
_FILES = {'scores.json', 'confusion.csv', 'confusion.png', 'examples.png'}


def load_weights(runner: Runner, checkpoint: str) -> str:
    """Load a checkpoint into the model of a runner, after checking that it holds exactly the weights of that model.

    Returns:
        Digest of the weights, which does not depend on the file that they are in.

    Raises:
        InputError: The file is missing or unsafe, or belongs to another model.
    """
    model = runner.model.module if is_model_wrapper(runner.model) else runner.model  # wrapped on several processes
    weights = exact_weights(read_checkpoint(checkpoint), model, checkpoint)
    model.load_state_dict(weights)
    # Runner.load_checkpoint would also call hooks of training, of which EMAHook is not ready before a run begins.
    runner._has_loaded = True
    return weights_digest(weights)


def evaluate_checkpoint(runner: Runner, checkpoint: str) -> dict:
    """Evaluate a checkpoint on the test data of a runner.

    Returns:
        ``checkpoint``, ``weights`` (a digest of them), ``scores`` in percent by name, ``classes``, ``per_class``
        (:func:`~projects.false.evaluation.scores.class_scores`) and ``confusion_matrix`` (rows are labels). The last
        two are None outside the first process and for a metric without a confusion matrix. Undefined scores of a
        class are NaN.
    """
    digest = load_weights(runner, checkpoint)
    named = runner.test()
    classes = list(runner.test_loop.dataloader.dataset.metainfo['classes'])
    matrix: np.ndarray | None = getattr(runner.test_loop.evaluator.metrics[0], 'matrix', None)
    return {
        'checkpoint': str(checkpoint),
        'weights': digest,
        'scores': {name: float(value) for name, value in named.items()},
        'classes': classes,
        'per_class': None if matrix is None else class_scores(scores(matrix), matrix, classes),
        'confusion_matrix': None if matrix is None else matrix.tolist(),
    }


def example_sheet(runner: Runner, number: int, title: str) -> np.ndarray:
    """Predict patches spread evenly over the test list, regardless of their results, and lay them out in rows.

    Args:
        runner: Runner with the trained model; one process of several may call this alone.
        number: Number of patches, 1 to :data:`MOST_EXAMPLES`; a shorter list gives fewer.
        title: Title above the sheet.

    Returns:
        Shape (H, W, 3), uint8, BGR: a legend, then image, label and prediction of every patch with its share of
        correct pixels.
    """
    dataset = runner.test_loop.dataloader.dataset
    palette = Palette.from_metainfo(dataset.metainfo)
    rows = []
    runner.model.eval()
    for index in np.linspace(0, len(dataset) - 1, min(number, len(dataset))).round().astype(int).tolist():
        sample = dataset[index]
        with torch.no_grad():
            found = runner.model.test_step(pseudo_collate([sample]))[0]
        label = found.gt_sem_seg.data[0].cpu().numpy().astype(np.uint8)
        prediction = found.pred_sem_seg.data[0].cpu().numpy().astype(np.uint8)
        counted = label != IGNORE_INDEX
        right = f'{100 * (label == prediction)[counted].mean():.0f} % correct' if counted.any() else 'no label'
        pictures = [
            enlarged(image_of(sample['inputs'])),
            mask_picture(label, palette),
            mask_picture(prediction, palette),
        ]
        rows.append((_short(f'{found.img_path.rsplit("/", 1)[-1]}: {right}'), pictures))
    return contact_sheet(title, ('image', 'label', 'prediction'), rows, palette)


def _short(text: str, limit: int = 100) -> str:
    return text if len(text) <= limit else f'…{text[1 - limit :]}'


def confusion_picture(matrix: np.ndarray, classes: Sequence[str], title: str) -> bytes:
    """Draw the share of each predicted class in the pixels of each labelled class; rows sum to 100 %.

    Args:
        matrix: Shape (C, C), pixels, rows are labels.
        classes: C names.
        title: Title above the matrix.

    Returns:
        A PNG file. A class without a label has an empty row; its share of all labelled pixels is given at the right.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    labelled, count = matrix.sum(1), len(classes)
    shares = np.divide(
        100.0 * matrix, labelled[:, None], out=np.full(matrix.shape, np.nan), where=labelled[:, None] > 0
    )
    side = 1.6 + 0.55 * min(count, 60)
    figure = Figure(figsize=(side + 2.4, side + 0.8), dpi=150, layout='constrained')
    axes = FigureCanvasAgg(figure).figure.subplots()
    axes.imshow(shares, cmap='Blues', vmin=0, vmax=100)
    axes.set_xticks(range(count), classes, rotation=35, ha='right', rotation_mode='anchor')
    axes.set_yticks(range(count), classes)
    axes.set_xlabel('prediction')
    axes.set_ylabel('label')
    axes.set_title(title, fontsize=10)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_xticks(np.arange(count + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(count + 1) - 0.5, minor=True)
    axes.grid(which='minor', color='0.85', linewidth=0.8)
    axes.tick_params(which='minor', length=0)
    right = axes.secondary_yaxis('right')
    of_all = 100 * labelled / max(labelled.sum(), 1)
    right.set_yticks(range(count), [f'{share:.1f} %' for share in of_all])
    right.set_ylabel('share of the labelled pixels')
    right.tick_params(length=0)
    right.spines[:].set_visible(False)
    if count <= _MOST_NUMBERS:
        for row, column in np.argwhere(~np.isnan(shares)):
            share, hit = shares[row, column], row == column
            axes.text(
                *(column, row, f'{share:.0f}' if share >= 0.5 or hit else '·'),
                ha='center',
                va='center',
                color='white' if share > 55 else 'black',
                fontweight='bold' if hit else 'normal',
                fontsize=9,
            )
    file = io.BytesIO()
    figure.savefig(file, format='png', metadata={'Software': None})
    return file.getvalue()


def is_folder(out: str) -> bool:
    """Return True if ``--out`` means a folder: an existing one, or a new name that does not end in ``.json``."""
    return Path(out).is_dir() or (Path(out).suffix.lower() != '.json' and not Path(out).is_file())


def check_outputs(out: str | None, predictions: str | None, examples: int = 0) -> None:
    """Check, before a long test, that its results can be written.

    Args:
        out: Folder or file for the results; a folder is made as needed.
        predictions: Folder for the predicted masks; made as needed.
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
    """Write the result of :func:`evaluate_checkpoint` as JSON, completely or not at all; NaN becomes ``null``.

    Raises:
        InputError: The file cannot be written.
    """
    with writable(path, 'choose another --out'):
        write_text(path, json.dumps(_without_nan(found), indent=1, allow_nan=False) + '\n')


def write_folder(found: dict, examples: np.ndarray | None, folder: str | Path) -> list[str]:
    """Write tables and pictures of a test. ``scores.json`` is written last: if it exists, all files do.

    Args:
        found: The result of :func:`evaluate_checkpoint`.
        examples: Sheet of example pictures, (H, W, 3), uint8, BGR, or None.
        folder: Folder for the files, made as needed. Files of an earlier test are replaced or removed.

    Returns:
        Names of the written files.

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
    with writable(folder, 'choose another --out'):
        for name in _FILES - files.keys():
            Path(folder, name).unlink(missing_ok=True)
        for name, data in files.items():
            with atomic_write(Path(folder, name)) as file:
                file.write(data)
    write_scores(found, Path(folder, 'scores.json'))
    return [*files, 'scores.json']


def _without_nan(value: Any) -> Any:
    """Replace NaN, which JSON does not have, by None."""
    if isinstance(value, dict):
        return {key: _without_nan(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_without_nan(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _check_folder(option: str, given: str, folder: Path) -> None:
    file = next((path for path in (folder, *folder.parents) if path.is_file()), None)
    if file is not None:
        raise InputError(f'{option} {given}: {file} is a file; choose another {option}')
    with writable(f'{option} {given}', f'choose another {option}'):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
