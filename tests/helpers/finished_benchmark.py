"""Results of a made benchmark, and the page content made of them from a small finished quickstart."""

import numpy as np

from projects.false.evaluation.scores import scores
from projects.false.experiments.benchmark.page import BenchmarkPage, RunFiles
from projects.false.experiments.benchmark.summary import compare_methods
from tests.helpers.finished_quickstart import PALETTE, Finished

MATRIX = np.array([[50, 5, 5, 0], [4, 60, 6, 0], [3, 7, 40, 0], [0, 0, 0, 0]])


def result(method: str, seed: int, draw: int, miou: float, protocol: str = 'upernet', fraction: float = 0.01) -> dict:
    """One line of results.jsonl."""
    with np.errstate(invalid='ignore'):
        found = scores(MATRIX)
    named = {'mIoU': miou, 'OA': 80.0 + draw, 'mF1': 60.0, 'kappa': 50.0}
    iou = {f'IoU.{label}': value for label, value in zip(PALETTE.classes, (100 * found.iou).tolist(), strict=True)}
    run = {'protocol': protocol, 'fraction': fraction, 'method': method, 'seed': seed, 'draw': draw, 'part': 'test'}
    plain = {name: None if value != value else value for name, value in iou.items()}
    return {'run': run, 'scores': named | plain, 'confusion_matrix': MATRIX.tolist(), 'labelled_patches': 14}


def all_results(methods=('random', 'FALSE', 'SimCLR'), seeds=(1, 2), draws=(1, 2, 3), **settings) -> list[dict]:
    """Runs of every method: draws move all methods alike, and FALSE is two points above SimCLR."""
    level = {'random': 45.0, 'SimCLR': 46.0, 'FALSE': 48.0}
    return [
        result(method, seed, draw, level.get(method, 47.0) + 3 * draw + 0.1 * seed * (-1) ** draw, **settings)
        for method in methods
        for seed in seeds
        for draw in draws
    ]


def content(finished: Finished, methods=('random', 'FALSE', 'SimCLR'), **changes) -> BenchmarkPage:
    """A page about :func:`all_results`, with the pictures of the finished quickstart."""
    runs = {run.name: run for run in finished.runs}
    files = {}
    for number, method in enumerate(methods):
        run = runs.get(method, finished.runs[number % 3])
        files['upernet', 0.01, method] = RunFiles(run.predictions, run.training_log, run.pretraining_log)
    made = {
        'title': 'Made benchmark <1>',
        'lead': 'What was done & how.',
        'baseline': 'SimCLR',
        'comparisons': compare_methods(all_results(methods), methods, 'SimCLR', (1, 2), (1, 2, 3)),
        'files': files,
        'data_root': finished.data_root,
        'part': 'test',
        'palette': finished.palette,
        'facts': {'command': 'python tools/run_benchmark.py <spec>'},
    }
    return BenchmarkPage(**{**made, **changes})
