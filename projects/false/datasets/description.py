"""dataset.json: what a folder of patches holds and where every patch comes from."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.table import Table

from projects.false.converters.options import CutOptions

from .band_statistics import mean_and_std
from .color_codes import IGNORE_INDEX
from .palette import Palette, to_hex


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


def describe_bands(bands: Sequence[str], levels: np.ndarray) -> dict:
    """Number and names of the bands, and mean and standard deviation of each over the training patches."""
    mean, std = mean_and_std(levels)
    return {'bands': {'count': len(bands), 'names': list(bands)}, 'mean': mean, 'std': std}


def write_description(path: Path, description: dict) -> None:
    """Write the dictionary as JSON, one patch a line, so that the file can be read and compared by eye."""
    patches = ',\n  '.join(json.dumps(patch, ensure_ascii=False) for patch in description['patches'])
    head = json.dumps({**description, 'patches': None}, indent=1, ensure_ascii=False)
    path.write_text(head.replace('"patches": null', f'"patches": [\n  {patches}\n ]') + '\n', encoding='utf-8')


def summary_table(description: dict) -> Table:
    """Pixels and share of every class in every split."""
    splits = description['splits']
    table = Table(title=f'{description["palette"]}: pixels and share of the labelled ones', box=SIMPLE_HEAD, padding=0)
    table.add_column('class', no_wrap=True)
    for name, split in splits.items():
        table.add_column(f'{name}\n{split["patches"]} patches', justify='right')
    for label in description['classes']:
        cells = [(split['pixels'][label], sum(split['pixels'].values())) for split in splits.values()]
        table.add_row(label, *(f'{_short(count)} {count / max(total, 1):6.1%}' for count, total in cells))
    table.add_row('ignored', *(f'{_short(split["ignored_pixels"])}       ' for split in splits.values()))
    return table


def _short(count: int) -> str:
    return f'{count / 1e6:.2f}M' if count >= 1e6 else f'{count / 1e3:.1f}k'
