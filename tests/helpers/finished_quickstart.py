"""A small finished quickstart: patches, predictions and scores of three runs, and logs as MMEngine writes them."""

import json
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import pytest

from projects.false.evaluation.scores import confusion_matrix, scores
from projects.false.imagery.palettes import Palette
from projects.false.reports.score_tables import Run

SIZE = 32
PALETTE = Palette(
    name='made',
    classes=('road', 'roof <tin> & tile', 'tree', 'never'),
    colors=((128, 128, 128), (200, 40, 40), (30, 120, 40), (0, 0, 255)),
    ignore_colors=((0, 0, 0),),
)


class Finished(NamedTuple):
    """The arguments of ``write_quickstart_page``, and the confusion matrices behind them."""

    runs: list[Run]
    data_root: Path
    palette: Palette
    matrices: list[np.ndarray]


def write_log(folder: Path, losses: dict[int, float], start: str = '20260102_030405', **last) -> Path:
    """Write a log as MMEngine does; return the work folder."""
    path = folder / start / 'vis_data' / 'scalars.json'
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [{'lr': 1e-3, 'loss': loss, 'epoch': 1, 'iter': step, 'step': step} for step, loss in losses.items()]
    path.write_text(''.join(json.dumps(line) + '\n' for line in lines + ([last] if last else [])))
    return folder


def draw_label(number: int) -> np.ndarray:
    """Patch k has min(k, 3) classes; the first row of patch 3 is ignored."""
    label = np.zeros((SIZE, SIZE), np.uint8)
    if number >= 2:
        label[:, 20:] = 1
    if number >= 3:
        label[20 + number :, :12] = 2
    if number == 3:
        label[0] = 255
    return label


@pytest.fixture
def finished(tmp_path) -> Finished:
    """Six patches, of which five are for testing, and three runs that are wrong in more and more columns."""
    root, rng = tmp_path / 'data', np.random.default_rng(0)
    for folder in ('images', 'masks', 'splits'):
        (root / folder).mkdir(parents=True)
    records, names = [], [f'tile_{number}' for number in range(1, 7)]
    for number, name in enumerate(names, start=1):
        label = draw_label(number)
        cv2.imwrite(str(root / 'images' / f'{name}.png'), rng.integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8))
        cv2.imwrite(str(root / 'masks' / f'{name}.png'), label)
        counts = np.bincount(label.ravel(), minlength=256)
        place = {'split': 'test', 'source': name, 'row': 0, 'col': 0}
        records.append({'name': name, **place, 'pixels': [*counts[:4].tolist(), int(counts[255])]})
    (root / 'splits' / 'test.txt').write_text(''.join(f'{name}\n' for name in names[:5]))
    (root / 'dataset.json').write_text(json.dumps({'classes': PALETTE.classes, 'patches': records}))
    runs, matrices = [], []
    for wrong, name in ((2, 'FALSE'), (5, 'SimCLR'), (9, 'random')):
        folder, matrix = tmp_path / name / 'predictions', np.zeros((4, 4), np.int64)
        folder.mkdir(parents=True)
        for number, patch in enumerate(names[:5], start=1):
            label = draw_label(number)
            prediction = np.where(label == 255, 0, label)
            prediction[:, :wrong] = 1
            cv2.imwrite(str(folder / f'{patch}.png'), prediction)
            matrix += confusion_matrix(label, prediction, 4)
        with np.errstate(invalid='ignore'):
            found = scores(matrix)
        named = {'mIoU': found.miou, 'OA': found.overall_accuracy, 'mF1': found.mean_f1, 'kappa': found.kappa}
        named |= {f'IoU.{label}': value for label, value in zip(PALETTE.classes, found.iou, strict=True)}
        written = {
            'scores': {key: round(100 * float(value), 4) for key, value in named.items()},
            'classes': list(PALETTE.classes),
            'confusion_matrix': matrix.tolist(),
        }
        training = write_log(tmp_path / name / 'finetune', {10: 2.5, 20: 1.5, 30: 1.25}, step=30, mIoU=50.0)
        pretraining = None if name == 'random' else write_log(tmp_path / name / 'pretrain', {5: 5.1, 10: 4.2})
        runs.append(Run(name, json.loads(json.dumps(written)), folder, training, pretraining))
        matrices.append(matrix)
    return Finished(runs, root, PALETTE, matrices)
