"""Go through all patches of a data set once, and say what is in them and what is wrong."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rich.console import Console
from rich.progress import track

from projects.false.common.errors import InputError
from projects.false.imagery.images import read_image
from projects.false.imagery.palettes import IGNORE_INDEX
from projects.false.patch_folder.description import read_labelled_description
from projects.false.patch_folder.lists import SplitList, list_folder, read_lists, sides

from .findings import Finding
from .patch_checks import PatchFacts, find_duplicates, overlapping_windows, read_facts
from .similar_pictures import grey_of_bands, shared_detail

_CHUNK = 32  # patches of a task


class Audit(NamedTuple):
    """The result.

    Args:
        data_root: The data set.
        description: Its ``dataset.json``.
        lists: Its lists.
        pixels: List name -> pixels of every class, ignored ones, and those out of range; labelled lists only.
        findings: All that was found, patch by patch.
        images: Patch name -> image file, of the patches with findings.
    """

    data_root: Path
    description: dict
    lists: list[SplitList]
    pixels: dict[str, np.ndarray]
    findings: list[Finding]
    images: dict[str, Path]

    @property
    def passed(self) -> bool:
        """Nothing was found that stops a training or spoils it without a word."""
        return all(finding.severity != 'error' for finding in self.findings)


def audit_labels(data_root: str | Path, workers: int | None = None) -> Audit:
    """Audit images, masks and lists as a converter leaves them; nothing is changed.

    Memory holds about 600 bytes a patch beside ``dataset.json``, never more than a few images.

    Args:
        data_root: Folder with ``images/``, ``masks/``, ``splits/`` and ``dataset.json``.
        workers: Files read at the same time; None takes the number of CPU cores, at most 8.

    Raises:
        InputError: There is no such data set, or it has no labels.
    """
    if workers is not None and workers < 1:
        raise InputError(f'workers is {workers}; give at least 1')
    root, description = Path(data_root), read_labelled_description(data_root)
    for folder in (root / 'images', root / 'masks'):
        if not folder.is_dir():
            raise InputError(f'{folder}: no such folder; audit images and masks as files, before packing them')
    lists = read_lists(root)
    training, testing = sides(lists)
    trained = set(training)
    labelled = {patch for entry in lists if entry.labelled for patch in entry.patches}
    found = list_folder(root / 'images')[0]
    files = {key: name for name in found for key in (name, os.path.splitext(name)[0])}  # text: a Path is ten times that
    bands = len((description.get('bands') or {}).get('names') or 'RGB')

    def image_path(name: str) -> Path:
        return root / 'images' / files[name]

    def read(name: str) -> PatchFacts:
        image = image_path(name) if name in files else None
        mask = mask_path(root, name, image) if name in labelled else None
        return read_facts(name, image, mask, description['classes'], IGNORE_INDEX, bands)

    def compare(pair: tuple[str, str]) -> float:
        return shared_detail(*(grey_of_bands(read_image(image_path(name), bands)) for name in pair))

    with ThreadPoolExecutor(workers or min(8, os.cpu_count() or 1)) as pool:
        names = list(dict.fromkeys([*training, *testing]))
        facts = dict(zip(names, _work(pool, read, names, 'reading patches'), strict=True))
        findings = [finding for name in names for finding in facts[name].findings]
        findings += [
            Finding('on both sides', name, f'for training and in {entry}')
            for name, entry in testing.items()
            if name in trained
        ]
        findings += find_duplicates(
            facts, training, testing, lambda pairs: list(_work(pool, compare, pairs, 'comparing pictures'))
        )
    records = {patch['name']: patch for patch in description['patches']}
    findings += overlapping_windows(records, description['patch_size'], training, testing)
    findings += _stale_counts(facts, records)
    pixels = {entry.name: _total(entry, facts, len(description['classes'])) for entry in lists if entry.labelled}
    involved = {name for finding in findings for name in (finding.patch, finding.other) if name in files}
    return Audit(root, description, lists, pixels, findings, {name: image_path(name) for name in involved})


def mask_path(data_root: Path, name: str, image: Path | None) -> Path:
    """Where the mask of a patch is, or should be: in ``masks/`` as its image is in ``images/``."""
    inside = image.relative_to(data_root / 'images') if image else Path(f'{name}.png')
    return data_root / 'masks' / inside.with_suffix('.png')


def _work(pool: ThreadPoolExecutor, task: Callable, items: Sequence, what: str) -> Iterator:
    """Results in order, with a progress bar on a terminal."""
    console = Console(stderr=True)
    chunks = [items[start : start + _CHUNK] for start in range(0, len(items), _CHUNK)]
    results = pool.map(partial(_each, task), chunks)
    shown = track(results, what, len(chunks), console=console, transient=True, disable=not console.is_terminal)
    return (result for chunk in shown for result in chunk)


def _each(task: Callable, items: Sequence) -> list:
    return [task(item) for item in items]


def _total(entry: SplitList, facts: dict[str, PatchFacts], classes: int) -> np.ndarray:
    total = np.zeros(classes + 2, np.int64)
    for name in entry.patches:
        if facts[name].counts is not None:
            total += facts[name].counts
    return total


def _stale_counts(facts: dict[str, PatchFacts], records: dict[str, dict]) -> list[Finding]:
    text = 'not as counted in dataset.json, by which lists of labelled patches are drawn'
    return [
        Finding('counts differ', name, text)
        for name, fact in facts.items()
        if name in records
        and fact.counts is not None
        and all(finding.severity != 'error' for finding in fact.findings)
        and fact.counts[:-1].tolist() != records[name]['pixels']
    ]
