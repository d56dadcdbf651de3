"""Time forward plus backward passes of all sides in turns, so that other load on the machine affects all alike."""

import gc
import statistics
import time
from collections.abc import Callable, Hashable

import torch
from torch import Tensor

CLOCKS = {'wall': time.perf_counter, 'cpu': time.process_time}


def step_seconds(loss: Callable[[], Tensor], rows: Tensor, clock: str = 'wall') -> float:
    """Time one forward and one backward pass, in seconds of wall-clock time or of CPU time of all threads."""
    rows.grad = None
    _wait(rows)
    start = CLOCKS[clock]()
    loss().backward()
    _wait(rows)
    return CLOCKS[clock]() - start


def interleaved(
    losses: dict[Hashable, tuple[Callable[[], Tensor], Tensor]],
    repeats: int,
    budget: float = 60.0,
    clock: str = 'wall',
) -> dict[Hashable, list[float]]:
    """Time in rounds A B C, A B C, and so on, after one round to warm up.

    Args:
        losses: The functions to time and the leaves that they differentiate, by name.
        repeats: Rounds.
        budget: Seconds for one side; one that has used them up is left out of further rounds, and a warm-up that
            took longer than a tenth of them counts as a measurement.
        clock: `wall` or `cpu`.

    Returns:
        Seconds of every step, by name.
    """
    taken = {}
    gc.collect()
    gc.disable()
    try:
        for name, (loss, rows) in losses.items():
            seconds = step_seconds(loss, rows, clock)
            taken[name] = [seconds] if seconds > budget / 10 else []
        for _ in range(repeats):
            for name, (loss, rows) in losses.items():
                if sum(taken[name]) < budget and len(taken[name]) < repeats:
                    taken[name].append(step_seconds(loss, rows, clock))
    finally:
        gc.enable()
    return taken


def quartiles(seconds: list[float]) -> tuple[float, float, float]:
    """Return lower quartile, median and upper quartile."""
    if len(seconds) < 2:
        return (seconds[0],) * 3
    return tuple(statistics.quantiles(seconds, n=4, method='inclusive'))


def _wait(rows: Tensor) -> None:
    if rows.is_cuda:
        torch.cuda.synchronize(rows.device)
