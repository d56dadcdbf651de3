"""Parts of a small finished quickstart: palette, labels, and logs as MMEngine writes them."""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

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
    """What ``write_report`` needs, and the confusion matrices behind it."""

    runs: list[Run]
    data_root: Path
    palette: Palette
    matrices: list[np.ndarray]


def write_log(folder: Path, losses: dict[int, float], start: str = '20260102_030405', **last) -> Path:
    """Write a log as MMEngine does; returns the work folder."""
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
