"""Check whether lists to train on and to test on share patches, images, tiles, ground, or pictures that look alike.

The lists may come from anywhere: names that the data set does not know are taken apart by a regular expression.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from projects.false.common.errors import InputError
from projects.false.common.threads import count_workers, map_ahead, show_progress
from projects.false.patch_folder.lists import is_training_name, read_list, read_lists

from .listed_patches import ListedPatches, Origin, compile_pattern
from .patch_checks import PatchFacts, find_duplicates, recognise
from .shared_ground import OVERLAPPING, TOUCHING, Ground, Window, meeting_windows
from .similar_pictures import grey_of_bands, shared_detail

KINDS = {  # kind -> description, with the patches to test on as its subject
    'patch': 'are listed for both',
    'image': 'come from images of the other side',
    'tile': 'come from tiles of the other side',
    'overlap': 'overlap windows of the other side',
    'touch': 'touch windows of the other side',
    'look-alike': 'show the picture of a patch of the other side',
}
EXAMPLES = 3  # per kind
PART = r'^.+?(?=[ _-]*(?:image)?[ _-]*part[ _-]*\d+$)'  # the tile in Tile1_image_part_001


class Leak(NamedTuple):
    """A patch to test on that shares something with the other side.

    Args:
        kind: Key of :data:`KINDS`.
        patch: Its name.
        text: What it shares, and with which list.
    """

    kind: str
    patch: str
    text: str


class LeakCheck(NamedTuple):
    """The result of a check.

    Args:
        training: Lists to train on; empty where every list was compared with every other.
        testing: The other lists.
        patches: Number of patches of all lists, each counted once.
        leaks: In the order of :data:`KINDS`, each patch at most once per kind and comparison.
        unseen: Patches without an image here, which were compared by their names alone.
        unsized: Patches whose size is not known, so that their windows were not compared.
    """

    training: list[str]
    testing: list[str]
    patches: int
    leaks: list[Leak]
    unseen: list[str]
    unsized: list[str]

    def found(self, allowed: Collection[str] = ()) -> bool:
        """Return whether there are leaks of other kinds than those that are allowed."""
        return any(leak.kind not in allowed for leak in self.leaks)

    def lines(self, allowed: Collection[str] = ()) -> Iterator[str]:
        """Yield the summary, then up to three examples of every kind."""
        counts = {kind: len({leak.patch for leak in self.leaks if leak.kind == kind}) for kind in KINDS}
        shares = [f'{count:,} {KINDS[kind]}' for kind, count in counts.items() if count]
        sides = f'{", ".join(self.training)} | {", ".join(self.testing)}'.lstrip(' |')
        if not shares:
            yield f'no leak in {self.patches:,} patches: {sides}'
        else:
            verdict = 'leak' if self.found(allowed) else 'only what is allowed'
            yield f'{verdict} in {self.patches:,} patches ({sides}): {"; ".join(shares)}'
        for kind, count in counts.items():
            shown = [f'{leak.patch} {leak.text}' for leak in self.leaks if leak.kind == kind][:EXAMPLES]
            if count:
                yield f'  {kind}{" (allowed)" if kind in allowed else ""}: {"; ".join(shown)}'
        if self.unseen:
            yield (
                f'note: {len(self.unseen):,} patches have no image here, such as {self.unseen[0]!r}; pictures that '
                'look like theirs were not searched for'
            )
        if self.unsized:
            yield (
                f'note: {len(self.unsized):,} patches, such as {self.unsized[0]!r}, have a row and a column but no '
                'known size; whether they overlap or touch was not checked'
            )


def check_leaks(
    data_root: str | Path,
    lists: Sequence[str] = (),
    names: str | None = None,
    tile: str = PART,
    workers: int | None = None,
) -> LeakCheck:
    """Compare the lists to train on with the lists to test on, without changing anything.

    Besides ``dataset.json``, memory holds about a kilobyte per listed patch and a few images at a time; the time grows
    with n log n.

    Args:
        data_root: Folder of patches as a converter leaves it; any folder of images if ``names`` is given.
        lists: Names of lists in ``splits/``, or paths of text files. Every list is compared with every other, except
            for two lists to train on. If empty, those of ``splits/`` to train on are compared with all others there.
        names: Regular expression for lines that are not patches of the data; it has the groups ``image`` and, if names
            contain them, ``tile``, ``row`` and ``col``. None refuses such lines.
        tile: Regular expression whose match in the name of an image is the tile that the image is a part of.
        workers: Images to read at the same time; None takes the number of CPU cores, at most 8.

    Raises:
        InputError: There is no such data or list, no two lists are to be compared, a name is not known, or an image is
            unreadable.
    """
    workers = count_workers(workers)
    data = ListedPatches(Path(data_root), compile_pattern(names, '--names', 'image'), compile_pattern(tile, '--tile'))
    found = _find_lists(data, lists)
    training = {name: patches for name, (patches, trains) in found.items() if trains}
    testing = {name: patches for name, (patches, trains) in found.items() if not trains}
    every = {**training, **testing}
    if len(every) < 2:
        raise InputError(f'{data_root}: {next(iter(every))} is the only list, so there is nothing to compare it with')
    if not testing:
        raise InputError(
            f'{data_root}: of the lists {", ".join(every)} none is tested on, so there is nothing to compare; give the '
            'lists to test on as well'
        )
    listed = list(dict.fromkeys(patch for patches in every.values() for patch in patches))
    origins = {patch: data.origin(patch) for patch in listed}
    ground, places, unsized = _lay_out(data, origins)
    facts, unseen = _recognise(data, listed, workers)
    leaks: list[Leak] = []
    for known, asked in _comparisons(training, testing, bool(lists)):
        both = [patch for patch in asked if patch in known]
        others = {patch: entry for patch, entry in asked.items() if patch not in known}
        leaks += [Leak('patch', patch, f'of {asked[patch]} is in {known[patch]}') for patch in both]
        leaks += _shared_names(origins, known, others)
        leaks += _shared_ground(ground, places, known, others)
        leaks += _look_alikes(data, facts, known, others, workers)
    order = list(KINDS)
    leaks.sort(key=lambda leak: order.index(leak.kind))
    return LeakCheck(list(training), list(testing), len(listed), leaks, unseen, unsized)


def _find_lists(data: ListedPatches, lists: Sequence[str]) -> dict[str, tuple[list[str], bool]]:
    """Return, by name, the patches of every list and whether they are trained on."""
    found: dict[str, tuple[list[str], bool]] = {}
    if not lists:
        for entry in read_lists(data.root, data.known_names, data.spelling):
            found[entry.name] = entry.patches, entry.training
    paths: dict[str, Path] = {}
    for name in lists:
        inside = data.root / 'splits' / f'{name.removesuffix(".txt")}.txt'
        path = inside if inside.is_file() and not Path(name).is_file() else Path(name)
        if path.resolve() in {other.resolve() for other in paths.values()}:
            raise InputError(f'{path}: is given twice; give every list once')
        title = path.stem if path.stem not in found else str(path)
        paths[title] = path
        patches = [data.spelling(patch) for patch in read_list(path, data.known_names)]
        found[title] = list(dict.fromkeys(patches)), is_training_name(path.stem)
    for title, (patches, _) in found.items():
        unknown = [patch for patch in patches if data.origin(patch) is None]
        if unknown:
            path, known = paths.get(title, Path('splits') / f'{title}.txt'), data.root / 'dataset.json'
            raise InputError(
                f'{path}: {len(unknown)} of {len(patches)} patches are not in {known}, the first is {unknown[0]!r}; '
                r"give --names for what they are called, such as '(?P<image>.+)_(?P<row>\d+)_(?P<col>\d+)', or correct "
                'the list'
            )
    return found


Sides = tuple[dict[str, str], dict[str, str]]  # patch -> its first list


def _comparisons(training: Mapping[str, list[str]], testing: Mapping[str, list[str]], given: bool) -> Iterator[Sides]:
    known = _first_lists(training)
    if not given:
        yield known, _first_lists(testing)
        return
    for name, patches in testing.items():
        if known:
            yield dict(known), dict.fromkeys(patches, name)
        known |= {patch: name for patch in patches if patch not in known}


def _first_lists(lists: Mapping[str, list[str]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, patches in lists.items():
        for patch in patches:
            found.setdefault(patch, name)
    return found


def _shared_names(
    origins: Mapping[str, Origin | None], known: Mapping[str, str], asked: Mapping[str, str]
) -> Iterator[Leak]:
    """Find images and tiles that both sides share; a shared tile counts only if the image is not shared."""
    images: dict[str, str] = {}
    tiles: dict[str, str] = {}
    for patch in known:
        origin = origins[patch]
        assert origin is not None
        images.setdefault(origin.image, patch)
        if origin.tile:
            tiles.setdefault(origin.tile, patch)
    for patch, entry in asked.items():
        origin = origins[patch]
        assert origin is not None
        for kind, name, there in (('image', origin.image, images), ('tile', origin.tile, tiles)):
            if name in there:
                other = there[name]
                yield Leak(kind, patch, f'of {entry} is from {name}, as is {other} of {known[other]}')
                break


def _lay_out(data: ListedPatches, origins: Mapping[str, Origin | None]) -> tuple[Ground, dict[str, int], list[str]]:
    """Lay out all windows whose place is known, number them by patch, and list those of unknown size.

    Without dataset.json all patches are taken to be as large as the first of them that has an image.
    """
    known = {name: origin for name, origin in origins.items() if origin and min(origin.row, origin.col) >= 0}
    size = data.size
    if not size:
        read = next((read for name in known if (read := data.picture(name))), None)
        size = max(read().shape[:2]) if read else 0
    placed = {name: Window(origin.image, origin.row, origin.col, size) for name, origin in known.items() if size}
    numbers = {name: number for number, name in enumerate(placed)}
    return Ground(list(placed.values()), data.sources), numbers, list(known) if not size else []


def _shared_ground(
    ground: Ground, places: Mapping[str, int], known: Mapping[str, str], asked: Mapping[str, str]
) -> Iterator[Leak]:
    patches = list(places)
    inside, outside = (np.array([places[p] for p in side if p in places], np.int64) for side in (known, asked))
    relations, others = meeting_windows(ground, inside, outside)
    for number, relation, other in zip(outside.tolist(), relations.tolist(), others.tolist(), strict=True):
        patch = patches[number]
        if relation in (TOUCHING, OVERLAPPING):
            kind = 'overlap' if relation == OVERLAPPING else 'touch'
            yield Leak(kind, patch, f'of {asked[patch]} and {patches[other]} of {known[patches[other]]}')


def _recognise(data: ListedPatches, listed: Sequence[str], workers: int) -> tuple[dict[str, PatchFacts], list[str]]:
    """Read every image once; return its identifying facts, and the patches without an image."""
    unseen = [patch for patch in listed if data.picture(patch) is None]
    absent = set(unseen)
    seen = [patch for patch in listed if patch not in absent]

    def facts(patch: str) -> PatchFacts:
        read = data.picture(patch)
        assert read is not None
        return PatchFacts(None, *recognise(read()), [])

    return dict(
        zip(seen, show_progress(map_ahead(facts, seen, workers), len(seen), 'reading patches'), strict=True)
    ), unseen


def _look_alikes(
    data: ListedPatches,
    facts: Mapping[str, PatchFacts],
    known: Mapping[str, str],
    asked: Mapping[str, str],
    workers: int,
) -> Iterator[Leak]:
    def compare(pair: tuple[str, str]) -> float:
        readers = (data.picture(name) for name in pair)
        return shared_detail(*(grey_of_bands(read()) for read in readers if read is not None))

    def details(pairs: list[tuple[str, str]]) -> list[float]:
        return list(show_progress(map_ahead(compare, pairs, workers), len(pairs), 'comparing pictures'))

    training = [patch for patch in known if patch in facts]
    testing = {patch: entry for patch, entry in asked.items() if patch in facts}
    for finding in find_duplicates(facts, training, testing, details):
        yield Leak('look-alike', finding.patch, f'of {finding.text.replace(": ", " ", 1)} of {known[finding.other]}')
