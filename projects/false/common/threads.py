"""Work in threads: all at once with a progress bar, a little ahead of its use, or in the background.

Results keep their order and memory stays bounded. The first error stops the rest."""

import os
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from itertools import islice
from typing import Generic, TypeVar

from rich.console import Console
from rich.progress import Progress

from .errors import InputError

Item = TypeVar('Item')
Result = TypeVar('Result')


def map_ahead(
    function: Callable[[Item], Result], items: Iterable[Item], workers: int, ahead: int = 64
) -> Iterator[Result]:
    """Results of a function in the order of its arguments.

    Args:
        function: Called in threads.
        items: May be endless; only ``ahead`` of them are taken beforehand.
        workers: Number of threads.
        ahead: How many results may wait.
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


_END = object()


class Background(Generic[Item]):
    """Calls a function in a thread of its own with what is put in, in that order.

    Args:
        function: What to do with an item.
        waiting: How many items may wait before :meth:`put` does.

    Example:
        >>> seen = []
        >>> with Background(seen.append) as background:
        ...     background.put(1)
        >>> seen
        [1]
    """

    def __init__(self, function: Callable[[Item], object], waiting: int = 2) -> None:
        self._function = function
        self._queue: queue.Queue = queue.Queue(waiting)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._work, daemon=True)

    def __enter__(self) -> 'Background[Item]':
        self._thread.start()
        return self

    def __exit__(self, kind, error, trace) -> None:
        self._queue.put(_END)
        self._thread.join()
        if error is None and self._error is not None:
            raise self._error

    def put(self, item: Item) -> None:
        """Hand over an item.

        Raises:
            BaseException: What the function raised for an earlier one; nothing is done after that.
        """
        self.check()
        self._queue.put(item)

    def check(self) -> None:
        """Raise what the function raised for an earlier item, if it did."""
        if self._error is not None:
            raise self._error

    def _work(self) -> None:
        while (item := self._queue.get()) is not _END:
            if self._error is not None:
                continue
            try:
                self._function(item)
            except BaseException as error:  # goes on in the thread that puts
                self._error = error
