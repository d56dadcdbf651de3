"""Independent pieces of work in threads, with a progress bar, failing as one."""

import os
import warnings
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TypeVar

from rasterio.errors import NotGeoreferencedWarning
from rich.console import Console
from rich.progress import Progress

from projects.false.errors import InputError

Result = TypeVar('Result')


def count_workers(workers: int | None) -> int:
    """Number of threads: as asked for, or the number of CPU cores, at most 8.

    Raises:
        InputError: Less than 1.
    """
    if workers is not None and workers < 1:
        raise InputError(f'workers is {workers}; give at least 1')
    return min(8, os.cpu_count() or 1) if workers is None else workers


def run_all(tasks: Mapping[str, Callable[[], Result]], workers: int, what: str, kind: str) -> dict[str, Result]:
    """Run every task, in threads: reading and compressing images happen outside Python's lock.

    All are run even if some fail with an InputError, so that one call names every unusable file.

    Args:
        tasks: Name -> function without arguments.
        workers: How many run at the same time.
        what: What the progress bar says; shown on a terminal only.
        kind: What a task stands for, in the plural, for the message.

    Returns:
        Name -> result, in the order of ``tasks``.

    Raises:
        InputError: Of the failed tasks, the first five in the order of their names.
        Exception: Anything else that a task raises, at once; tasks that have not begun are dropped.
    """
    console = Console(stderr=True)
    results: dict[str, Result] = {}
    failures: dict[str, str] = {}
    pool = ThreadPoolExecutor(workers)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore', NotGeoreferencedWarning)  # an image without a place is nothing to warn of
            futures = {pool.submit(task): name for name, task in tasks.items()}
            with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
                for future in progress.track(as_completed(futures), total=len(futures), description=what):
                    try:
                        results[futures[future]] = future.result()
                    except InputError as error:
                        failures[futures[future]] = str(error)
    finally:
        pool.shutdown(cancel_futures=True)
    texts = list(dict.fromkeys(failures[name] for name in sorted(failures)))  # pieces of one file fail alike
    if len(texts) == 1:
        raise InputError(texts[0])
    if texts:
        more = f' | and {len(texts) - 5} more' if len(texts) > 5 else ''
        raise InputError(f'{len(failures)} of {len(tasks)} {kind} are unusable: {" | ".join(texts[:5])}{more}')
    return {name: results[name] for name in tasks}
