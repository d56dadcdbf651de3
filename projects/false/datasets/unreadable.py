"""Images that cannot be read while training: reported and skipped up to a limit, never silently."""

import logging

import torch
from mmengine.logging import print_log

from projects.false.errors import InputError

from .seeding import SampleIndex


class SkipUnreadable:
    """Mixin for MMEngine data sets: what a file does to a sample that cannot be loaded.

    An unreadable image, or a mask that does not fit it, is reported with its path once, and the next image of the data
    set stands in for it, with the same views whatever the number of workers. Each image counts once, over all worker
    processes of the data set and all epochs; every process of a distributed run counts its own.

    Args:
        max_unreadable: How many images may be skipped; one more stops the run. 0 stops at the first. Not for testing,
            where every image counts.

    Example:
        ``--cfg-options train_dataloader.dataset.max_unreadable=10``
    """

    def __init__(self, *args, max_unreadable: int = 0, test_mode: bool = False, **kwargs) -> None:
        if isinstance(max_unreadable, bool) or not isinstance(max_unreadable, int) or max_unreadable < 0:
            raise InputError(f'max_unreadable is {max_unreadable!r}; give a number of images, 0 to stop at the first')
        if max_unreadable and test_mode:
            raise InputError(f'max_unreadable is {max_unreadable} with test_mode; a test leaves no image out, give 0')
        self.max_unreadable = max_unreadable
        self._unreadable: torch.Tensor | None = None
        super().__init__(*args, test_mode=test_mode, **kwargs)

    def full_init(self) -> None:
        """Make room for one mark an image, in memory that the workers share."""
        super().full_init()
        if self.max_unreadable and self._unreadable is None:
            self._unreadable = torch.zeros(len(self), dtype=torch.uint8).share_memory_()

    @property
    def unreadable(self) -> list[int]:
        """Indices of the images that were skipped so far."""
        return [] if self._unreadable is None else self._unreadable.nonzero().flatten().tolist()

    def prepare_data(self, idx: int) -> dict:
        """Load a sample, or the first readable one after it."""
        if not self.max_unreadable:
            return super().prepare_data(idx)
        seed, size = getattr(idx, 'seed', ()), len(self)
        for step in range(size):
            candidate = SampleIndex((int(idx) + step) % size, seed)
            try:
                return super().prepare_data(candidate)
            except InputError as error:
                self._report(int(candidate), error)
        raise InputError(f'none of the {size} images can be read; check data_root')

    def _report(self, index: int, error: InputError) -> None:
        if self._unreadable[index]:
            return
        count = int(self._unreadable.sum()) + 1
        if count > self.max_unreadable:
            raise InputError(f'{error} (unreadable image {count}, max_unreadable is {self.max_unreadable})') from error
        self._unreadable[index] = 1
        print_log(
            f'skipped, {count} of at most {self.max_unreadable} unreadable images: {error}', 'current', logging.WARNING
        )
