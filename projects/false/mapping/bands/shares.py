"""Map images on several processes: bands of the images are shared out, and each image becomes the map of one process.

A process takes the next free band, so that a slow one takes fewer. A band continues the sums of the band on its left.
Another process may still be computing that band; then this one follows it, one row of windows behind.
"""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path

import torch
from torch.distributed import Store

from projects.false.common.work_lock import work_dir_locked
from projects.false.engine.launchers import connect_store

from ..map_rasters import Mapped, plan_maps, remove_leftovers
from ..options import MapOptions
from ..segmenter import Segmenter
from .band_files import Signals

_LONGEST_PAUSE = 0.05  # seconds


class Team:
    """Processes that map together. They share an output folder, and speak through a store that the first one keeps.

    Args:
        store: The store, new for every start of the processes.
        rank: Number of this process; 0 is the first.
        count: Number of processes.
        local_rank: Number of this process on its machine, which chooses its GPU.
    """

    def __init__(self, store: Store, rank: int, count: int, local_rank: int = 0) -> None:
        self._store, self.first, self._count, self._local_rank = store, rank == 0, count, local_rank

    @classmethod
    def connect(cls, launcher: str) -> 'Team':
        """Connect to the other processes.

        Args:
            launcher: ``'pytorch'`` or ``'slurm'``.

        Raises:
            InputError: The launcher did not start this process.
        """
        return cls(*connect_store(launcher, 'infer'))

    def device(self, asked: str | None) -> str | None:
        """Return the device of this process: the one that is asked for, or its own GPU for None and ``'cuda'``."""
        if asked not in (None, 'cuda') or not torch.cuda.is_available():
            return asked
        return f'cuda:{self._local_rank % torch.cuda.device_count()}'

    def signals(self, image: int) -> Signals:
        """Return the signals between processes about the bands of an image."""
        return _Signals(self, image)

    def count(self, what: str, more: int = 1) -> int:
        """Add to a number that all processes share, and return it."""
        return int(self._store.add(what, more))

    def tell(self, what: str, value: object) -> None:
        """Publish a value that others :meth:`ask` for."""
        self._store.set(what, json.dumps(value))

    def ask(self, what: str) -> object:
        """Wait for a value that another process publishes, and return it."""
        self._wait_until(lambda: self._store.check([what]))
        return json.loads(self._store.get(what))

    def leave(self) -> None:
        """End together: the first process, which keeps the store, waits for all others."""
        self.count('left')
        if self.first:
            self._wait_until(lambda: self.count('left', 0) == self._count)

    @staticmethod
    def _wait_until(condition: Callable[[], bool]) -> None:
        pause = 0.001
        while not condition():
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)


class _Signals:
    def __init__(self, team: Team, image: int) -> None:
        self._team, self._image = team, image

    def reached(self, band: int, row: int) -> None:
        self._team.tell(f'{self._image}/{band}/{row}', True)

    def wait(self, band: int, row: int) -> None:
        self._team.ask(f'{self._image}/{band}/{row}')


def map_shared(
    team: Team,
    segmenter: Segmenter,
    sources: Sequence[str | Path],
    out: str | Path,
    options: MapOptions | None = None,
    note: Callable[[str], object] = lambda line: None,
) -> Iterator[Mapped]:
    """Map images together with other processes that call this with the same arguments.

    The maps are those of :func:`.map_rasters.map_rasters`, byte for byte, if the model computes alike in all processes.

    Args:
        team: The processes.
        segmenter, sources, out, options, note: As for :func:`.map_rasters.map_rasters`; all processes see ``out``.

    Yields:
        One record per image that this process completed, and in the first process those that were complete before.

    Raises:
        InputError: Something cannot be read, written or mapped with this model. Maps and bands that are finished stay.
    """
    folder, options = Path(out), options or MapOptions()
    found = plan_maps(segmenter, sources, folder, options, note if team.first else lambda line: None, team.signals)
    with work_dir_locked(folder, option='--out') if team.first else nullcontext():
        if team.first:
            remove_leftovers(folder, found)
            complete = [files.complete() for files in found]
            team.tell('complete', complete)
            yield from (Mapped(files.path) for files, done in zip(found, complete, strict=True) if done)
        else:
            complete = list(map(bool, team.ask('complete')))  # type: ignore[call-overload]  # a list of JSON
        shares = [
            (number, band)
            for number, files in enumerate(found)
            if not complete[number]
            for band in range(files.band_count)
        ]
        while (taken := team.count('taken') - 1) < len(shares):
            number, band = shares[taken]
            files = found[number]
            if files.band_count == 1:
                counts, work = files.write()
            else:
                files.write_band(band)
                if team.count(f'{number}/finished') < files.band_count:
                    continue
                counts, work = files.join()
            team.count('pixels', int(counts.sum()))
            yield Mapped(files.path, counts, *work)
        team.leave()
