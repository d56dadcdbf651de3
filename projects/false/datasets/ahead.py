"""Work done by threads a little ahead of where its results are used: in order, with bounded memory."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

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
