"""Turn pairs of images and masks into a folder of patches: what all labelled converters share."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from projects.false.common.errors import InputError
from projects.false.common.files import staged_folder
from projects.false.common.threads import count_workers, run_all
from projects.false.imagery.palettes import IGNORE_INDEX, Palette, to_hex
from projects.false.patch_folder.description import Conversion, describe_bands, write_description
from projects.false.patch_folder.labelled_lists import label_subset
from projects.false.patch_folder.lists import write_list

from .cutting import Pair, cut_pair
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


def describe(
    palette: Palette,
    bands: Sequence[str],
    options: CutOptions,
    arguments: dict,
    patches: list[dict],
    subsets: list[dict],
    sources: dict[str, dict],
    levels: np.ndarray,
) -> dict:
    """Put together the content of ``dataset.json``.

    Args:
        palette: Classes and colours.
        bands: Names of the bands, in the order of the files.
        options: Patch size, stride and seed.
        arguments: What the output was made with.
        patches: Records with name, stem, split, row, col and ``pixels``: pixels of every class, then ignored ones.
        subsets: Labelled subsets of the training patches: name, fraction, names, missing (class indices).
        sources: Stem -> files, size and, where known, place of the images behind the patches.
        levels: How often every grey level occurs in every band of the training patches.

    Shape:
        - levels: (bands, 256)

    Returns:
        A dictionary of plain numbers, strings, lists and dictionaries.
    """
    members = {split: [p for p in patches if p['split'] == split] for split in ('train', 'val', 'test')}
    for subset in subsets:
        chosen = set(subset['names'])
        members[subset['name']] = [patch for patch in patches if patch['name'] in chosen]
    splits = {}
    for name, records in members.items():
        if not records:
            continue
        pixels = np.sum([patch['pixels'] for patch in records], axis=0).tolist()
        splits[name] = {
            'patches': len(records),
            'pixels': dict(zip(palette.classes, pixels[:-1], strict=True)),
            'ignored_pixels': pixels[-1],
        }
    for subset in subsets:
        splits[subset['name']]['fraction'] = subset['fraction']
        splits[subset['name']]['missing_classes'] = [palette.classes[i] for i in subset['missing']]
    return {
        'palette': palette.name,
        'classes': list(palette.classes),
        'colors': [to_hex(color) for color in palette.colors],
        'ignore_colors': [to_hex(color) for color in palette.ignore_colors],
        'ignore_index': IGNORE_INDEX,
        'patch_size': options.patch_size,
        'stride': options.stride,
        'seed': options.seed,
        **describe_bands(bands, levels),
        'arguments': arguments,
        'splits': splits,
        'sources': sources,
        'patches': [
            {
                'name': patch['name'],
                'split': patch['split'],
                'source': patch['stem'],
                'row': patch['row'],
                'col': patch['col'],
                'pixels': patch['pixels'],
            }
            for patch in patches
        ],
    }
