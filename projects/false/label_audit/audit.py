"""Audit a data set: read every patch once, count its labels, and collect what is wrong."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rich.console import Console
from rich.progress import track

from projects.false.common.errors import InputError
from projects.false.imagery.image_files import list_imagery
from projects.false.imagery.images import read_image
from projects.false.imagery.palettes import IGNORE_INDEX
from projects.false.patch_folder.description import read_labelled_description
from projects.false.patch_folder.lists import SplitList, file_in_any_form, nfc, read_lists, sides

from .findings import Finding
from .patch_checks import PatchFacts, find_duplicates, overlapping_windows, read_facts
from .similar_pictures import grey_of_bands, shared_detail

_CHUNK = 32  # patches per task of a thread


class Audit(NamedTuple):
    """The result of an audit.

    Args:
        data_root: Folder of the data set.
        description: Content of its ``dataset.json``.
        lists: Its lists.
        pixels: Name of a labelled list -> pixels per class, then ignored pixels and pixels out of range.
        findings: All findings, patch by patch.
        images: Patch name -> image file, for patches with findings.
    """

    data_root: Path
    description: dict
    lists: list[SplitList]
    pixels: dict[str, np.ndarray]
    findings: list[Finding]
    images: dict[str, Path]

    @property
    def passed(self) -> bool:
        """True if no finding is an error."""
        return all(finding.severity != 'error' for finding in self.findings)


def audit_labels(data_root: str | Path, workers: int | None = None) -> Audit:
    """Audit the images, masks and lists that a converter wrote, without changing them.

    Besides ``dataset.json``, memory holds about 600 bytes per patch and a few images at a time.

    Args:
        data_root: Folder with ``images/``, ``masks/``, ``splits/`` and ``dataset.json``.
        workers: Files to read at the same time; None takes the number of CPU cores, at most 8.

    Raises:
        InputError: There is no such data set, or it has no labels.
    """
    if workers is not None and workers < 1:
        raise InputError(f'workers is {workers}; give at least 1')
    root, description = Path(data_root), read_labelled_description(data_root)
    for folder in (root / 'images', root / 'masks'):
        if not folder.is_dir():
            raise InputError(f'{folder}: no such folder; audit images and masks as files, before packing them')
    found = list_imagery(root / 'images').names
    # Keyed by the Unicode form in which names are compared; text, since a Path takes ten times the memory.
    files = {nfc(key): name for name in found for key in (name, os.path.splitext(name)[0])}
    records = {patch['name']: patch for patch in description['patches']}
    forms = {nfc(name) for name in records}
    names_of = {files[form]: name for name in records if (form := nfc(name)) in files}
    lists = read_lists(
        root,
        records.keys() | {name for name in files if name not in forms},
        lambda name: names_of.get(files.get(nfc(name), ''), name),
    )
    training, testing = sides(lists)
    trained = set(training)
    labelled = {patch for entry in lists if entry.labelled for patch in entry.patches}
    bands = len((description.get('bands') or {}).get('names') or 'RGB')

    def image_path(name: str) -> Path:
        return root / 'images' / files[nfc(name)]

    def read(name: str) -> PatchFacts:
        image = image_path(name) if nfc(name) in files else None
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
    findings += overlapping_windows(records, description['patch_size'], training, testing)
    findings += _stale_counts(facts, records)
    pixels = {entry.name: _total(entry, facts, len(description['classes'])) for entry in lists if entry.labelled}
    involved = {name for finding in findings for name in (finding.patch, finding.other) if nfc(name) in files}
    return Audit(root, description, lists, pixels, findings, {name: image_path(name) for name in involved})


def mask_path(data_root: Path, name: str, image: Path | None) -> Path:
    """Return the path that the mask of a patch should have: in ``masks/`` as its image in ``images/``."""
    inside = image.relative_to(data_root / 'images') if image else Path(f'{name}.png')
    return file_in_any_form(data_root / 'masks', inside.with_suffix('.png').as_posix())


def _work(pool: ThreadPoolExecutor, task: Callable, items: Sequence, what: str) -> Iterator:
    """Run a task for every item in threads, and return the results in order; a terminal shows a progress bar."""
    console = Console(stderr=True)
    chunks = [items[start : start + _CHUNK] for start in range(0, len(items), _CHUNK)]
    results = pool.map(lambda chunk: [task(item) for item in chunk], chunks)
    shown = track(results, what, len(chunks), console=console, transient=True, disable=not console.is_terminal)
    return (result for chunk in shown for result in chunk)


def _total(entry: SplitList, facts: dict[str, PatchFacts], classes: int) -> np.ndarray:
    """Sum the pixels of a list per class, ignored and out of range."""
    total = np.zeros(classes + 2, np.int64)
    for name in entry.patches:
        counts = facts[name].counts
        if counts is not None:
            total += counts
    return total


def _stale_counts(facts: dict[str, PatchFacts], records: dict[str, dict]) -> list[Finding]:
    """Find sound masks whose pixel counts differ from ``dataset.json``."""
    text = 'differs from the counts in dataset.json, by which labelled lists are drawn'
    return [
        Finding('counts differ', name, text)
        for name, fact in facts.items()
        if name in records
        and fact.counts is not None
        and all(finding.severity != 'error' for finding in fact.findings)
        and fact.counts[:-1].tolist() != records[name]['pixels']
    ]
