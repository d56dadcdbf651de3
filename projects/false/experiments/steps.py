"""Run commands that need each other, each logged to a file, shown live, and skipped once it is done."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from projects.false.errors import InputError

from .step import Step, step_facts
from .step_queue import StepQueue


def cores() -> int:
    """How many CPU cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1


def job_slots(jobs: int | None = None) -> list[dict[str, str]]:
    """The variables of every job that may run at a time, on this machine; as of :func:`share_out`."""
    import torch

    given = os.environ.get('CUDA_VISIBLE_DEVICES')
    gpus = given.split(',') if given else [str(number) for number in range(torch.cuda.device_count())]
    return share_out(jobs, gpus[: torch.cuda.device_count()], cores())


def share_out(jobs: int | None, gpus: Sequence[str], cores: int) -> list[dict[str, str]]:
    """Give every job a GPU, or a share of the cores.

    Args:
        jobs: How many, at least 1; None takes one a GPU, or one a core, with one computing thread: two small trainings
            beside each other end sooner than one after the other with two threads each.
        gpus: Their names, as ``CUDA_VISIBLE_DEVICES`` has them; more jobs than GPUs share them in turn.
        cores: Number of CPU cores.

    Raises:
        InputError: ``jobs`` is below 1.
    """
    if jobs is not None and jobs < 1:
        raise InputError(f'--jobs is {jobs}; give 1 or more')
    if gpus:
        return [{'CUDA_VISIBLE_DEVICES': gpus[number % len(gpus)]} for number in range(jobs or len(gpus))]
    jobs = jobs or cores
    return [{'OMP_NUM_THREADS': str(max(1, cores // jobs))} for _ in range(jobs)]


def run_steps(
    steps: Sequence[Step],
    folder: Path,
    slots: Sequence[Mapping[str, str]] | None = None,
    on_done: Callable[[Step], None] = lambda step: None,
) -> dict[str, float]:
    """Run every step that is not done yet, as many at a time as there are slots, in the order given.

    Args:
        steps: Every step after those that it needs.
        folder: Where ``logs/<name>.log`` and ``logs/<name>.done`` go.
        slots: As of :func:`job_slots`, the default.
        on_done: Called after every step that ends well; not for those that were done before.

    Returns:
        Seconds of every step, of an earlier run for those that were done.

    Raises:
        InputError: A command failed; the message quotes the end of its log. The others that run are ended.
    """
    folder.joinpath('logs').mkdir(parents=True, exist_ok=True)
    console = Console()
    columns = (SpinnerColumn(), TextColumn('{task.description}', markup=False), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, auto_refresh=False) as progress:
        queue = StepQueue(steps, folder, list(slots or job_slots()), progress)
        try:
            queue.work(on_done)
        finally:
            queue.stop()
    return {step.name: step_facts(folder, step.name)['seconds'] for step in steps}
