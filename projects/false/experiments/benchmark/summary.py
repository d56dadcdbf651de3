"""From the results of single runs to what is said of every method."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .paired_difference import Difference, paired_difference

HEADLINE = 'mIoU'


@dataclass(frozen=True)
class MethodSummary:
    """One method under one protocol with one share of labels.

    Attributes:
        method: Its name.
        runs, planned: How many runs are finished, and how many there will be.
        means: Mean of every score over the finished runs, in percent; NaN where no run has it.
        draw_spread: Standard deviation of the mIoU over label draws, of means over seeds, in points; None with one draw
            or while runs are missing.
        seed_spread: The same over pretraining seeds, of means over draws.
        difference: Of its mIoU to the baseline's; None for the baseline and while runs of either are missing.
        matrix: Sum of the confusion matrices, (C, C).
    """

    method: str
    runs: int
    planned: int
    means: dict[str, float]
    draw_spread: float | None
    seed_spread: float | None
    difference: Difference | None
    matrix: np.ndarray

    def iou(self, label: str) -> float:
        """Mean IoU of a class in percent; NaN where no run has it."""
        return self.means.get(f'IoU.{label}', float('nan'))


@dataclass(frozen=True)
class Comparison:
    """All methods under one protocol with one share of labels.

    Attributes:
        protocol, fraction: Which.
        labelled: Number of labelled patches.
        rows: A summary for every method that has a finished run, in the order of the benchmark.
    """

    protocol: str
    fraction: float
    labelled: int
    rows: list[MethodSummary]

    @property
    def heading(self) -> str:
        """What stands above its table."""
        return f'{self.protocol}, {100 * self.fraction:g} % of the labels ({self.labelled} patches)'


def compare(
    results: Sequence[dict], methods: Sequence[str], baseline: str, seeds: Sequence[int], draws: Sequence[int]
) -> list[Comparison]:
    """Summarise runs.

    Args:
        results: Lines of ``results.jsonl``, of one part of the data, each run once.
        methods: Their order.
        baseline: One of them.
        seeds, draws: Those of the benchmark.

    Returns:
        A comparison for every protocol and fraction that has a finished run, in the order of the results.
    """
    groups: dict[tuple[str, float], dict[str, list[dict]]] = {}
    for result in results:
        run = result['run']
        groups.setdefault((run['protocol'], run['fraction']), {}).setdefault(run['method'], []).append(result)
    comparisons = []
    for (protocol, fraction), by_method in groups.items():
        base = _grid(by_method.get(baseline, []), seeds, draws)
        rows = [
            _summary(method, by_method[method], None if method == baseline else base, seeds, draws)
            for method in methods
            if method in by_method
        ]
        labelled = next(iter(by_method.values()))[0]['labelled_patches']
        comparisons.append(Comparison(protocol, fraction, labelled, rows))
    return comparisons


def _summary(
    method: str, results: Sequence[dict], base: np.ndarray | None, seeds: Sequence[int], draws: Sequence[int]
) -> MethodSummary:
    grid = _grid(results, seeds, draws)
    whole = grid is not None
    return MethodSummary(
        method=method,
        runs=len(results),
        planned=len(seeds) * len(draws),
        means={name: _mean([result['scores'].get(name) for result in results]) for name in results[0]['scores']},
        draw_spread=float(grid.mean(0).std(ddof=1)) if whole and len(draws) > 1 else None,
        seed_spread=float(grid.mean(1).std(ddof=1)) if whole and len(seeds) > 1 else None,
        difference=paired_difference(grid, base) if whole and base is not None else None,
        matrix=np.sum([result['confusion_matrix'] for result in results], axis=0),
    )


def _grid(results: Sequence[dict], seeds: Sequence[int], draws: Sequence[int]) -> np.ndarray | None:
    """The mIoU by seed (row) and draw (column); None while a run is missing."""
    found = {(result['run']['seed'], result['run']['draw']): result['scores'][HEADLINE] for result in results}
    if len(found) < len(seeds) * len(draws):
        return None
    return np.array([[found[seed, draw] for draw in draws] for seed in seeds], float)


def _mean(values: Sequence[float | None]) -> float:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else float('nan')
