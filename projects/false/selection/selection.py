"""Choose patches to label, and write them as a list that recipes read."""

import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from projects.false.common.errors import InputError, check_count, check_seed
from projects.false.common.files import writable, write_text
from projects.false.common.threads import count_workers
from projects.false.patch_folder.description import read_description
from projects.false.patch_folder.lists import read_list, write_list
from projects.false.patch_folder.pixels import PatchPixels, Place

from .clusters import Features, Reordered
from .doubt import measure_doubt
from .features import RANDOM, Backbone, Read, load_backbone, write_features
from .methods import Choice, at_random, covering, typical, uncertain
from .outputs import write_contact_sheet, write_windows

METHODS = ('random', 'typical', 'coverage', 'uncertain')
CLASSES = 10  # clusters that stand for the classes, where the data has none


class Selection(NamedTuple):
    """The result of a selection.

    Args:
        name: Name of the list.
        chosen: New patches, in the order of choice.
        kept: Patches that were labelled before.
        candidates: Number of patches that could have been chosen.
        facts: What is recorded about the choice.
        shown: Number of patches on the contact sheet.
        windows: Number of windows in the GeoPackage.
    """

    name: str
    chosen: list[str]
    kept: list[str]
    candidates: int
    facts: dict[str, Any]
    shown: int
    windows: int


def select_patches(
    data_root: str | Path,
    backbone: str | None,
    count: int,
    method: str,
    out: str | Path,
    name: str | None = None,
    seed: int = 0,
    candidates: str | None = None,
    keep: str | None = None,
    model: tuple[str, str] | None = None,
    config: str | None = None,
    overwrite: bool = False,
    workers: int | None = None,
    device: str | None = None,
) -> Selection:
    """Choose patches, and write ``DATA/splits/NAME.txt`` with the kept patches and the chosen ones.

    ``out`` gets ``NAME.png``, ``NAME.json``, ``NAME.gpkg`` if images are georeferenced, and the features, which the
    next call with the same patches and backbone reuses. The choice depends on the patches, the backbone
    or model, the kept patches and the seed, not on the order of lists or the number of workers.

    Args:
        data_root: Folder of patches as a converter leaves it; labels are not read.
        backbone: File with a backbone, or ``'random'``; not needed for the method ``random``.
        count: Number of patches to choose, at least 1.
        method: One of :data:`METHODS`.
        out: Folder for all output but the list.
        name: Name of the list; None makes ``train_METHODCOUNT_seedSEED`` of it.
        seed: Seed, at least 0.
        candidates: List in ``splits/``, or text file, of patches to choose from; None takes ``train``, or ``pretrain``
            where there is none.
        keep: List of patches that are labelled already.
        model: Config and checkpoint of a fine-tuning, for the method ``uncertain``.
        config: Recipe of the backbone; see :func:`.features.load_backbone`.
        overwrite: Replace an earlier list.
        workers: Images to read at the same time; None takes the number of CPU cores, at most 8.
        device: Where to compute; None takes a GPU if there is one.

    Raises:
        InputError: An argument is out of range, a file is missing or unusable, there are too few candidates, or the
            list exists.
    """
    _check_arguments(backbone, count, method, seed, model)
    workers = count_workers(workers)
    root, out = Path(data_root), Path(out)
    description = read_description(root)
    name = name.removesuffix('.txt') if name else f'train_{method}{count}_seed{seed}'
    if not name or Path(name).name != name or name.startswith(('.', 'features')):
        raise InputError(
            f'--list {name}: is no name of a list; give one without folders that does not begin with features'
        )
    if name in ('train', 'val', 'test', 'pretrain'):
        raise InputError(f'--list {name}: is a list that converters write; give another name, such as {name}_chosen')
    target = root / 'splits' / f'{name}.txt'
    if target.exists() and not overwrite:
        raise InputError(f'{target}: exists; give another --list, or --overwrite to replace it')
    bands = len((description.get('bands') or {}).get('names') or 'RGB')
    pixels = PatchPixels(root, bands)
    records = {patch['name']: patch for patch in description['patches']}
    spelling = pixels.names_by_place(records)
    kept = _patches(root, keep, pixels, spelling) if keep else []
    pool = sorted(set(_patches(root, candidates or _usual_list(root), pixels, spelling)) - set(kept))
    if count > len(pool):
        raise InputError(
            f'{root}: {count} patches are asked for, {len(pool)} are there to choose from; give a smaller --count, '
            'or another list with --from, such as pretrain'
        )
    names = [*pool, *kept]
    reads: list[Read] = [partial(_read, pixels, patch) for patch in names]
    network = load_backbone(backbone, description, config, seed, device) if backbone and method != 'random' else None

    def features_of(some: np.ndarray | None = None) -> Features:
        assert network is not None
        rows = list(range(len(names))) if some is None else some.tolist()
        # The file is in the order of the names, so that the next round finds it whatever it keeps.
        by_name = sorted(range(len(rows)), key=lambda place: names[rows[place]])
        stored = [rows[place] for place in by_name]
        found = write_features(
            out / ('features.npy' if some is None else 'features_of_doubtful.npy'),
            [names[row] for row in stored],
            [reads[row] for row in stored],
            network,
            pixels.state(names[row] for row in stored),
            workers,
        )
        return Reordered(found, np.argsort(by_name))

    choice = _choose(method, features_of, len(pool), len(kept), count, seed, description, model, reads, workers, device)
    chosen = [names[row] for row in choice.rows]
    facts = _record(method, count, seed, network, model, kept, len(pool)) | choice.facts
    shown = write_contact_sheet(out / f'{name}.png', _title(name, facts), chosen, [reads[row] for row in choice.rows])
    windows = write_windows(
        out / f'{name}.gpkg', chosen, records, description.get('sources', {}), int(description.get('patch_size', 0))
    )
    if not windows:
        (out / f'{name}.gpkg').unlink(missing_ok=True)  # of an earlier selection
    with writable(out / f'{name}.json', 'choose another --out'):
        write_text(out / f'{name}.json', json.dumps({**facts, 'patches': chosen}, indent=1, ensure_ascii=False) + '\n')
    with writable(target, 'make room for it'):
        write_list(target, [*kept, *chosen])
    return Selection(name, chosen, kept, len(pool), facts, shown, windows)


def _check_arguments(backbone: str | None, count: int, method: str, seed: int, model: tuple[str, str] | None) -> None:
    check_count('--count', count)
    if method not in METHODS:
        raise InputError(f'method is {method!r}; give one of {", ".join(METHODS)}')
    check_seed(seed)
    if backbone is None and method != 'random':
        raise InputError(f'--method {method} needs features; give a backbone.pth, or {RANDOM!r} for random weights')
    if (model is None) == (method == 'uncertain'):
        way_out = 'give --model CONFIG CHECKPOINT of a fine-tuning' if model is None else 'leave --model out'
        raise InputError(f'--method {method} {"needs" if model is None else "takes no"} model; {way_out}')


def _usual_list(root: Path) -> str:
    return next((name for name in ('train', 'pretrain') if (root / 'splits' / f'{name}.txt').is_file()), 'train')


def _patches(root: Path, given: str, pixels: PatchPixels, spelling: Mapping[Place, str]) -> list[str]:
    """Read a list, by its name in ``splits/`` or its path; return its patches, sorted, as dataset.json spells them."""
    inside = root / 'splits' / f'{given.removesuffix(".txt")}.txt'
    path = inside if inside.is_file() and not Path(given).is_file() else Path(given)
    names = read_list(path, pixels.names)
    absent = [name for name in names if pixels.place(name) is None]
    if absent:
        raise InputError(
            f'{path}: {len(absent)} of {len(names)} patches have no image in {root}, the first is {absent[0]!r}; '
            'correct the list or convert the data again'
        )
    return sorted({spelling.get(pixels.place(name), name) for name in names})


def _read(pixels: PatchPixels, name: str) -> np.ndarray:
    read = pixels.find(name)
    assert read is not None
    return read()


def _choose(
    method: str,
    features_of: Any,
    candidates: int,
    kept: int,
    count: int,
    seed: int,
    description: dict[str, Any],
    model: tuple[str, str] | None,
    reads: Sequence[Read],
    workers: int,
    device: str | None,
) -> Choice:
    if method == 'random':
        return at_random(candidates, count, seed)
    if method == 'typical':
        return typical(features_of(), kept, count, seed)
    if method == 'coverage':
        classes = len(description.get('classes') or ()) or CLASSES
        return covering(features_of(), kept, count, seed, classes)
    assert model is not None
    doubts = measure_doubt(model, reads[:candidates], description, workers, device)
    return uncertain(doubts, features_of, count, seed, kept=kept)


def _record(
    method: str,
    count: int,
    seed: int,
    network: Backbone | None,
    model: tuple[str, str] | None,
    kept: list[str],
    candidates: int,
) -> dict[str, Any]:
    return {
        'method': method,
        'count': count,
        'seed': seed,
        'candidates': candidates,
        'kept': len(kept),
        **({'backbone': network.identity} if network else {}),
        **({'model': list(model)} if model else {}),
    }


def _title(name: str, facts: dict[str, Any]) -> str:
    radius = f', radius {facts["radius"]:.3f}' if 'radius' in facts else ''
    kept = f', beside {facts["kept"]:,} kept' if facts['kept'] else ''
    return f'{name}: {facts["count"]:,} of {facts["candidates"]:,} patches{kept}{radius}'
