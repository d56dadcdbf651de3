"""Speed of loading: CPU time of one worker, and views per second of a whole loader."""

import time
from collections.abc import Callable
from typing import Any

import cv2
from mmengine.dataset import default_collate
from torch.utils.data import DataLoader, Dataset

from projects.false.datasets.seeding import SeededSampler


def one_thread(worker: int) -> None:
    """As MMEngine's runner starts workers; PyTorch is single-threaded there anyway."""
    cv2.setNumThreads(0)


def stamped(samples: list) -> tuple[Any, float]:
    """A batch, and the CPU time that its worker has used so far, all threads together."""
    return default_collate(samples), time.process_time()


def dropped(samples: list) -> tuple[None, float]:
    """The same without the batch."""
    return None, time.process_time()


def loader(
    dataset: Dataset, batch: int, workers: int, pin_memory: bool = False, collate: Callable = stamped
) -> DataLoader:
    """An endless loader of shuffled samples, the same for every side; gives pairs as :func:`stamped` does."""
    return DataLoader(
        dataset,
        batch,
        sampler=SeededSampler(dataset, seed=0, infinite=True),
        num_workers=workers,
        collate_fn=collate,
        worker_init_fn=one_thread,
        pin_memory=pin_memory,
        drop_last=True,
    )


def worker_cpu(dataset: Dataset, batch: int, batches: int, collate: Callable = dropped) -> float:
    """CPU seconds a view of one worker: reading, views, packing. The first batch is left out.

    CPU time is that of a core that does nothing else, so that other load on the machine matters little. With
    ``collate=stamped`` making a batch and handing it over count, too; they take the same on every side.
    """
    batches_of_one = loader(dataset, batch, 1, collate=collate)
    stamps = [stamp for _, (_, stamp) in zip(range(batches + 1), batches_of_one, strict=False)]
    return (stamps[-1] - stamps[0]) / (batches * batch * 2)


def loader_rate(dataset: Dataset, batch: int, batches: int, workers: int) -> float:
    """Views per second, by the clock on the wall, that a training process gets from its loader.

    The first batches, one a worker and those in the queue, are left out.
    """
    ahead = 3 * workers
    batches = max(batches, 2 * ahead)
    start = 0.0
    for number, _ in zip(range(ahead + batches), loader(dataset, batch, workers), strict=False):
        if number == ahead - 1:
            start = time.perf_counter()
    return batches * batch * 2 / (time.perf_counter() - start)
