"""Work handed to a thread, in order, a little at a time."""

import queue
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Item = TypeVar('Item')
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
