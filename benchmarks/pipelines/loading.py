"""Speed of loading: CPU time of one worker, and views per second of a whole loader."""

import time
from collections.abc import Callable
from typing import Any

import cv2
from mmengine.dataset import default_collate
from torch.utils.data import DataLoader, Dataset

from projects.false.datasets.seeding import SeededSampler


def one_thread(worker: int) -> None:
    """Let OpenCV use one thread, as MMEngine's runner does; PyTorch uses one in workers anyway."""
    cv2.setNumThreads(0)


def stamped(samples: list) -> tuple[Any, float]:
    """Return a batch, and the CPU time of all threads of its worker so far."""
    return default_collate(samples), time.process_time()


def dropped(samples: list) -> tuple[None, float]:
    """Return the same without the batch."""
    return None, time.process_time()


def loader(
    dataset: Dataset, batch: int, workers: int, pin_memory: bool = False, collate: Callable = stamped
) -> DataLoader:
    """Make an endless loader of shuffled samples, the same for every side, which yields pairs of :func:`stamped`."""
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
    """Return one worker's CPU seconds per view for reading, views and packing, without the first batch.

    CPU time depends little on other load on the machine. With ``collate=stamped`` it includes making a batch and
    handing it over, which take the same on every side.
    """
    batches_of_one = loader(dataset, batch, 1, collate=collate)
    stamps = [stamp for _, (_, stamp) in zip(range(batches + 1), batches_of_one, strict=False)]
    return (stamps[-1] - stamps[0]) / (batches * batch * 2)


def loader_rate(dataset: Dataset, batch: int, batches: int, workers: int) -> float:
    """Return the views per second of wall-clock time that a training process gets from its loader.

    The first batches, one per worker and those in the queue, are left out.
    """
    ahead = 3 * workers
    batches = max(batches, 2 * ahead)
    start = 0.0
    for number, _ in zip(range(ahead + batches), loader(dataset, batch, workers), strict=False):
        if number == ahead - 1:
            start = time.perf_counter()
    return batches * batch * 2 / (time.perf_counter() - start)
