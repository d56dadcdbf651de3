"""From pairs of images and masks to a folder of patches with splits and a description: what all converters share."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from projects.false.common.files import staged_folder
from projects.false.common.threads import count_workers, run_all
from projects.false.datasets.cutting import cut_pair
from projects.false.datasets.description import describe, write_description
from projects.false.datasets.pairs import Pair
from projects.false.datasets.palette import Palette
from projects.false.datasets.splits import label_subset, write_list
from projects.false.errors import InputError
from projects.false.patch_folder.description import Conversion

from .options import CutOptions


def convert_pairs(
    pairs: Sequence[Pair],
    split_of: Mapping[str, str],
    out: str | Path,
    palette: Palette,
    bands: Sequence[str],
    options: CutOptions,
    arguments: dict,
    lists: Mapping[str, Sequence[str]] | None = None,
) -> Conversion:
    """Make ``out`` with ``images/``, ``masks/``, ``splits/`` and ``dataset.json``; it appears when it is complete.

    Args:
        pairs: Images and masks, on the disk or in zips.
        split_of: Stem -> ``'train'``, ``'val'`` or ``'test'``.
        out: Output folder.
        palette: Classes and their colours.
        bands: Names of the bands of every image, in the order of the files.
        options: How to cut.
        arguments: What the output depends on, for ``dataset.json``.
        lists: More text files to write: name -> lines.

    Raises:
        InputError: The input is unusable; every file is looked at before the first five problems are named.
    """
    if 'train' not in split_of.values():
        raise InputError(f'{out}: no image is left for training; leave some out of the lists of val and test')
    with staged_folder(out, options.overwrite) as staged:
        scratch = staged / 'unpacked'
        for folder in ('images', 'masks', 'splits', 'unpacked'):
            (staged / folder).mkdir()
        cut = partial(
            cut_pair,
            out=staged,
            scratch=scratch,
            palette=palette,
            bands=len(bands),
            size=options.patch_size,
            stride=options.stride,
        )
        tasks = {pair.stem: partial(cut, pair) for pair in pairs}
        results = run_all(tasks, count_workers(options.workers), 'cutting', 'pairs')
        scratch.rmdir()
        patches = [{**patch, 'split': split_of[stem]} for stem, cut in results.items() for patch in cut.patches]
        subsets = _write_splits(staged / 'splits', patches, options)
        for name, lines in (lists or {}).items():
            write_list(staged / name, lines)
        levels = sum(cut.levels for stem, cut in results.items() if split_of[stem] == 'train')
        sources = {stem: cut.source for stem, cut in results.items()}
        description = describe(palette, bands, options, arguments, patches, subsets, sources, levels)
        write_description(staged / 'dataset.json', description)
    return Conversion(description)


def _write_splits(folder: Path, patches: list[dict], options: CutOptions) -> list[dict]:
    for split in ('train', 'val', 'test'):
        names = [patch['name'] for patch in patches if patch['split'] == split]
        if split == 'test' and not names:  # without a test list the validation images are what is reported on
            names = [patch['name'] for patch in patches if patch['split'] == 'val']
        if names:
            write_list(folder / f'{split}.txt', names)
    train = [patch for patch in patches if patch['split'] == 'train']
    names = [patch['name'] for patch in train]
    write_list(folder / 'pretrain.txt', names)
    counts = np.array([patch['pixels'][:-1] for patch in train])
    subsets = []
    for fraction in sorted(set(options.label_fractions)):
        chosen, missing = label_subset(names, counts, fraction, options.seed)
        name = f'train_{fraction * 100:g}pct'
        write_list(folder / f'{name}.txt', chosen)
        subsets.append({'name': name, 'fraction': fraction, 'names': chosen, 'missing': missing})
    return subsets
