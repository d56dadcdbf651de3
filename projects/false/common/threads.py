"""Run functions in threads: over a stream of items, over a set of tasks with a progress bar, or in the background.

Results keep the order of their inputs, and an unexpected error stops the work that has not begun.
"""

import os
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import partial
from itertools import islice
from types import TracebackType
from typing import Generic, TypeVar

from rich.console import Console
from rich.progress import Progress, track

from .errors import Faults, InputError

Item = TypeVar('Item')
Result = TypeVar('Result')


def map_ahead(
    function: Callable[[Item], Result], items: Iterable[Item], workers: int, ahead: int = 64
) -> Iterator[Result]:
    """Yield the results of a function in the order of its arguments, while threads compute the next ones.

    Args:
        function: Called with one item at a time, in a thread.
        items: Arguments, possibly without end.
        workers: Number of threads, at least 1.
        ahead: Number of items that are read ahead of the results taken, at least 1; it bounds the memory.

    Raises:
        Exception: Whatever the function raised, in place of its result; calls that have not begun are dropped.

    Example:
        >>> list(map_ahead(abs, [-1, 2, -3], workers=2))
        [1, 2, 3]
    """
    source = iter(items)
    pool = ThreadPoolExecutor(workers)
    try:
        waiting = deque(pool.submit(function, item) for item in islice(source, ahead))
        while waiting:
            result = waiting.popleft().result()
            waiting.extend(pool.submit(function, item) for item in islice(source, 1))
            yield result
    finally:
        pool.shutdown(cancel_futures=True)


def count_workers(workers: int | None) -> int:
    """Return the number of threads to start.

    Args:
        workers: The number that the user asks for, at least 1. None takes the number of CPU cores, at most 8.

    Raises:
        InputError: ``workers`` is less than 1.
    """
    if workers is not None and workers < 1:
        raise InputError(f'workers is {workers}; give at least 1')
    return min(8, os.cpu_count() or 1) if workers is None else workers


def show_progress(results: Iterator[Result], total: int, what: str) -> Iterator[Result]:
    """Yield results, with a progress bar on a terminal.

    Args:
        results: The results to wait for.
        total: Number of results.
        what: Label of the bar.
    """
    console = Console(stderr=True)
    yield from track(results, what, total, console=console, transient=True, disable=not console.is_terminal)


def run_all(
    tasks: Mapping[str, Callable[[], Result]], workers: int, what: str, kind: str, of: int | None = None
) -> dict[str, Result]:
    """Run all tasks in threads, even if some fail with an InputError: one call names the unusable files.

    Threads are enough, because images are read and compressed outside Python's global interpreter lock.

    Args:
        tasks: Functions without arguments, by name.
        workers: Number of tasks that run at the same time.
        what: Label of the progress bar, which appears on a terminal only.
        kind: What the tasks work on, in the plural, for the error message: ``'pairs'``.
        of: Number of these; None is one per task.

    Returns:
        Results by name, in the order of ``tasks``.

    Raises:
        InputError: Some tasks failed with one. The message quotes up to three different ones, in the order of the
            tasks' names.
        Exception: A task failed in another way. It is raised at once, and tasks that have not begun are dropped.
    """
    console = Console(stderr=True)
    results: dict[str, Result] = {}
    failures: dict[str, InputError] = {}
    pool = ThreadPoolExecutor(workers)
    try:
        futures = {pool.submit(task): name for name, task in tasks.items()}
        with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
            for future in progress.track(as_completed(futures), total=len(futures), description=what):
                try:
                    results[futures[future]] = future.result()
                except InputError as error:
                    failures[futures[future]] = error
    finally:
        pool.shutdown(cancel_futures=True)
    faults = Faults(kind)
    for name in sorted(failures):
        faults.add(failures[name])
    faults.check(len(tasks) if of is None else of)
    return {name: results[name] for name in tasks}


class Background(Generic[Item]):
    """A thread that calls a function with one item after another, in the order in which they are put in.

    The end of the block waits until all items are done.

    Args:
        function: Called with every item.
        waiting: Number of items in the queue, at least 1; :meth:`put` waits while it is full.

    Raises:
        BaseException: At the end of the block, the error that the function raised, unless the block itself failed.

    Example:
        >>> seen = []
        >>> with Background(seen.append) as background:
        ...     background.put(1)
        >>> seen
        [1]
    """

    def __init__(self, function: Callable[[Item], object], waiting: int = 2) -> None:
        self._function = function
        self._calls: queue.Queue[Callable[[], object] | None] = queue.Queue(waiting)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._work, daemon=True)

    def __enter__(self) -> 'Background[Item]':
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._calls.put(None)
        self._thread.join()
        if error is None and self._error is not None:
            raise self._error

    def put(self, item: Item) -> None:
        """Hand over an item.

        Raises:
            BaseException: The error that the function raised for an earlier item; all later items are dropped.
        """
        self.check()
        self._calls.put(partial(self._function, item))

    def check(self) -> None:
        """Raise the error that the function raised for an earlier item, if there is one."""
        if self._error is not None:
            raise self._error

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            if self._error is not None:
                continue
            try:
                call()
            except BaseException as error:  # raised again in the thread that puts items in
                self._error = error
