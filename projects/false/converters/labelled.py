"""Convert a labelled data set: the part that the converters of all labelled data sets share.

A data set's own module finds its pairs of images and masks and assigns them to splits. Everything after that happens
here: recognise an output that is already complete, cut, draw the labelled subsets, and write ``dataset.json``.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from projects.false.common.errors import InputError, some
from projects.false.common.files import check_outside, staged_folder
from projects.false.common.threads import count_workers, run_all
from projects.false.imagery.images import read_mask, read_valid_image
from projects.false.imagery.mask_colors import ColorMoves
from projects.false.imagery.palettes import IGNORE_INDEX, Palette, to_hex
from projects.false.patch_folder.description import (
    Conversion,
    describe_bands,
    finished_before,
    made_from,
    take_over,
    write_description,
)
from projects.false.patch_folder.labelled_lists import label_subset
from projects.false.patch_folder.lists import nfc, write_list

from .cutting import CutPair, LabelledPatch, Pair, Readers, cut_pair
from .options import CutOptions

SPLITS = ('train', 'val', 'test')


class SplitPairs(NamedTuple):
    """The pairs of a data set and the split that each belongs to.

    Args:
        pairs: Images and masks, on disk or in zips.
        split_of: Stem -> ``'train'``, ``'val'`` or ``'test'``.
        lists: Further text files for the output folder, file name -> lines.
        left_out: Files of the source that are not used -> why.
    """

    pairs: Sequence[Pair]
    split_of: Mapping[str, str]
    lists: Mapping[str, Sequence[str]]
    left_out: Mapping[str, str] = {}


class _Subset(NamedTuple):
    """A labelled subset of the training patches; ``missing`` are classes that only other training patches have."""

    name: str
    fraction: float
    patches: list[LabelledPatch]
    missing: list[str]


def convert_labelled(
    converter: str,
    sources: Sequence[str | Path | None],
    inputs: Callable[[Iterable[str]], Mapping[str, object]],
    find: Callable[[], SplitPairs],
    out: str | Path,
    palette: Palette,
    bands: Sequence[str],
    options: CutOptions,
    readers: Readers | None = None,
    cut: Callable[[Pair, Path], CutPair] | None = None,
    prepare: Callable[[], None] = lambda: None,
    facts: Callable[[], Mapping[str, object]] = dict,
) -> Conversion:
    """Make ``out`` with ``images/``, ``masks/``, ``splits/`` and ``dataset.json``; it appears once it is complete.

    Training patches without a labelled pixel are listed in ``splits/pretrain.txt`` only.

    Where ``out`` is already complete and was made with the same arguments from the same images, no image is opened and
    nothing is written.

    Args:
        converter: Name of the converter.
        sources: Files and folders of the input, lists included, none of which may lie in ``out``; None stands for one
            that is not given.
        inputs: Function that takes the image stems and returns the source of the data and the images used, as plain
            values. Together with ``options``, palette and bands these are the arguments that ``dataset.json`` records.
        find: Finds the pairs and assigns their splits, without opening an image.
        out: Output folder.
        palette: Classes and their colours.
        bands: Names of the bands of every image, in the order of the files.
        options: Options for cutting.
        readers: How to read images and masks whose bands or classes differ from ``bands`` and ``palette``; None if
            they do not.
        cut: Cuts one pair into a folder, for labels that are not a file of pixels; None reads image and mask.
        prepare: Called before the first image is cut; may refuse the input.
        facts: Further entries of ``dataset.json``, taken after cutting.

    Returns:
        The content of ``dataset.json``, and whether it was there before.

    Raises:
        InputError: The input is unusable, or ``out`` was made with other arguments. All files are checked before the
            first three problems are named.
    """

    def arguments(stems: Iterable[str]) -> dict[str, object]:
        return {'converter': converter, **inputs(stems), **options.arguments(palette, bands)}

    check_outside(out, *sources)
    earlier = finished_before(out, arguments(made_from(out)), options.overwrite)
    if earlier:
        if all(Path(source).exists() for source in sources if source is not None):
            _check_unchanged(out, earlier, find, sources, by_image=cut is None)  # else, data whose source is gone stays
        return earlier
    pairs, split_of, lists, left_out = find()
    if 'train' not in split_of.values():
        raise InputError(f'{out}: no image is left for training; leave some out of the lists of val and test')
    prepare()
    notes: list[str] = []
    with staged_folder(out, options.overwrite) as staged:
        for folder in ('images', 'masks', 'splits'):
            (staged / folder).mkdir()
        moves = ColorMoves()
        readers = readers or Readers(
            partial(read_valid_image, bands=len(bands)), partial(read_mask, palette=palette, moves=moves)
        )
        results = _cut_all(pairs, staged, readers, palette, len(bands), options, cut)
        if cut is None:
            _check_foreground(out, results, palette)
        patches: dict[str, list[LabelledPatch]] = {split: [] for split in (*SPLITS, 'pretrain')}
        split_of_patch = {
            patch.name: _split_of(patch, result.splits.get(patch.name, split_of[stem]))
            for stem, result in results.items()
            for patch in result.patches
        }
        if 'train' not in split_of_patch.values():
            raise InputError(
                f'{out}: no patch for training holds a labelled pixel; label some, or check palette, lists and areas'
            )
        for result in results.values():
            for patch in result.patches:
                patches[split_of_patch[patch.name]].append(patch)
        subsets = _draw_subsets(patches['train'], palette, options)
        _write_splits(staged / 'splits', patches, subsets)
        for name, lines in lists.items():
            write_list(staged / name, lines)
        levels = np.sum([result.levels for stem, result in results.items() if split_of[stem] == 'train'], axis=0)
        description = {
            'palette': palette.name,
            'classes': list(palette.classes),
            'colors': [to_hex(color) for color in palette.colors],
            'ignore_colors': [to_hex(color) for color in palette.ignore_colors],
            'ignore_index': IGNORE_INDEX,
            'patch_size': options.patch_size,
            'stride': options.step,
            'seed': options.seed,
            **describe_bands(bands, levels),
            **({'nearest_color': moves.describe(palette.tolerance)} if palette.tolerance else {}),
            **({'left_out': dict(left_out)} if left_out else {}),
            **facts(),
            'arguments': arguments(pair.stem for pair in pairs),
            'splits': _describe_splits(patches, subsets, palette),
            'sources': {stem: result.source for stem, result in results.items()},
            'patches': [
                {'name': patch.name, 'split': split_of_patch[patch.name], **patch._asdict()}
                for result in results.values()
                for patch in result.patches
            ],
        }
        write_description(staged / 'dataset.json', description)
        notes += take_over(out, staged, split_of_patch)
    return Conversion(description, notes=tuple(notes))


def _check_unchanged(
    out: str | Path,
    earlier: Conversion,
    find: Callable[[], SplitPairs],
    given: Sequence[str | Path | None],
    by_image: bool,
) -> None:
    """Refuse an output of images that have since been added, removed, edited or given to another split.

    Files that were written or put in their place after the output was made are compared with it by their content, since
    files are often copied or touched.

    Raises:
        InputError: As said, or ``find`` no longer makes sense of the images.
    """
    pairs, split_of, _, _ = find()
    sources, folders = earlier.description['sources'], {Path(source) for source in given if source is not None}
    made = (Path(out) / 'dataset.json').stat().st_mtime_ns
    edited = {
        pair.stem
        for pair in pairs
        if by_image and pair.stem in sources and _is_edited(pair, sources[pair.stem], made, folders)
    }
    now, before = {nfc(pair.stem) for pair in pairs}, {nfc(stem) for stem in sources}
    split_now = {nfc(stem): split for stem, split in split_of.items()}
    moved = set()
    for patch in earlier.description['patches'] if by_image else ():  # areas may divide an image
        if split_now.get(nfc(patch['source'])) not in (None, patch['split']) and patch['split'] != 'pretrain':
            moved.add(patch['source'])
    for what, stems in (
        ('added', now - before),
        ('missing', before - now),
        ('in another split', moved),
        ('edited', edited),
    ):
        if stems:
            raise InputError(
                f'{out}: {len(stems)} images are {what} since it was made ({some(sorted(stems))}); give another output '
                'folder, or --overwrite to make it again'
            )


def _is_edited(pair: Pair, source: Mapping[str, Any], made: int, folders: Collection[Path]) -> bool:
    """Return True if files differ from those that were cut; older descriptions know no more than when that was."""
    if (pair.mask is None) != (source['mask'] is None):
        return True
    known = source.get('checksums')
    try:
        if known is None:
            return any(file.written_after(made) for file in pair.files)
        if [file.size() for file in pair.files] != [size for size, _ in known]:
            return True
        return any(file.placed_after(made, folders) for file in pair.files) and pair.checksums() != known
    except OSError:
        return False


def _split_of(patch: LabelledPatch, split: str) -> str:
    """Return the split of a patch: without a label, a training patch is for pretraining only."""
    return 'pretrain' if split == 'train' and not any(patch.pixels[:-1]) else split


def _cut_all(
    pairs: Sequence[Pair],
    out: Path,
    readers: Readers,
    palette: Palette,
    bands: int,
    options: CutOptions,
    cut: Callable[[Pair, Path], CutPair] | None,
) -> dict[str, CutPair]:
    """Cut every pair; the result has the order of ``pairs``."""
    scratch = out / 'unpacked'
    scratch.mkdir()
    read_and_cut = partial(
        cut_pair,
        out=out,
        scratch=scratch,
        readers=readers,
        palette=palette,
        bands=bands,
        size=options.patch_size,
        stride=options.step,
        shrink=options.shrink,
    )
    tasks = {pair.stem: partial(cut, pair, out) if cut else partial(read_and_cut, pair) for pair in pairs}
    results = run_all(tasks, count_workers(options.workers), 'cutting', 'pairs')
    scratch.rmdir()
    return results


def _check_foreground(out: str | Path, results: Mapping[str, CutPair], palette: Palette) -> None:
    """Refuse index masks in which 255 seems to be the foreground: nothing but class 0 and ignored pixels."""
    if not palette.index_masks or len(palette.classes) < 2:
        return
    masked = [result for result in results.values() if result.source['mask']]
    total = np.sum([patch.pixels for result in masked for patch in result.patches], axis=0)
    if total[0] and total[-1] and not total[1:-1].any():
        raise InputError(
            f'{out}: all masks hold nothing but 0 and 255, which is ignored in index masks; where 255 is the '
            'foreground, give a palette of the colors #000000 and #FFFFFF without "index_masks"'
        )


def _draw_subsets(train: Sequence[LabelledPatch], palette: Palette, options: CutOptions) -> list[_Subset]:
    names = [patch.name for patch in train]
    counts = np.array([patch.pixels[:-1] for patch in train])
    subsets = []
    for fraction in sorted(set(options.label_fractions)):
        subset = label_subset(names, counts, fraction, options.seed)
        chosen = set(subset.names)
        missing = [palette.classes[index] for index in subset.missing_classes]
        patches = [patch for patch in train if patch.name in chosen]
        subsets.append(_Subset(f'train_{fraction * 100:g}pct', fraction, patches, missing))
    return subsets


def _write_splits(folder: Path, patches: Mapping[str, list[LabelledPatch]], subsets: Sequence[_Subset]) -> None:
    lists = {
        **patches,
        'test': patches['test'] or patches['val'],  # without a test list, scores are reported on the val images
        'pretrain': [*patches['train'], *patches['pretrain']],
        **{subset.name: subset.patches for subset in subsets},
    }
    for name, listed in lists.items():
        if listed:
            write_list(folder / f'{name}.txt', [patch.name for patch in listed])


def _describe_splits(
    patches: Mapping[str, list[LabelledPatch]], subsets: Sequence[_Subset], palette: Palette
) -> dict[str, dict[str, Any]]:
    """Count patches and pixels of every split that has any, and of every labelled subset."""
    labelled = {split: patches[split] for split in SPLITS}
    members = {**labelled, **{subset.name: subset.patches for subset in subsets}}
    splits: dict[str, dict[str, Any]] = {}
    for name, inside in members.items():
        if inside:
            pixels = np.sum([patch.pixels for patch in inside], axis=0).tolist()
            splits[name] = {
                'patches': len(inside),
                'pixels': dict(zip(palette.classes, pixels[:-1], strict=True)),
                'ignored_pixels': pixels[-1],
            }
    for subset in subsets:
        splits[subset.name].update(fraction=subset.fraction, missing_classes=subset.missing)
    return splits
