"""Cut images with colour masks into patches with index masks, splits and a description."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.progress import Progress

from projects.false.errors import InputError

from .description import describe, write_description
from .mask_reading import read_mask
from .pairs import Pair, assign_splits, find_pairs
from .palettes import IGNORE_INDEX, Palette
from .reading import read_image
from .splits import label_subset, write_list
from .staging import staged_folder
from .windows import grid


def convert_color_masks(
    images: str | Path,
    masks: str | Path,
    out: str | Path,
    palette: Palette,
    patch_size: int,
    stride: int | None = None,
    val_list: str | Path | None = None,
    test_list: str | Path | None = None,
    label_fractions: Sequence[float] = (0.01,),
    seed: int = 0,
    workers: int | None = None,
    overwrite: bool = False,
) -> dict:
    """Make ``out`` with ``images/``, ``masks/``, ``splits/`` and ``dataset.json``; it appears when it is complete.

    Args:
        images: Folder of 8-bit RGB images (PNG, JPEG, TIFF), searched with all folders below it.
        masks: Folder of masks with the same stems: RGB or palette PNG, RGB TIFF; index masks if the palette says so.
        out: Output folder.
        palette: Classes and their colours.
        patch_size: Side of the patches in pixels.
        stride: Distance of neighbouring patches in pixels, 1 to ``patch_size``; None stands for ``patch_size``.
        val_list: Text file with image stems or glob patterns; these images go to ``splits/val.txt``.
        test_list: The same for ``splits/test.txt``.
        label_fractions: Shares of the training patches, each with a list ``splits/train_<percent>pct.txt``.
        seed: Seed of the draw of labelled patches.
        workers: Images cut at the same time (threads: reading and compressing run outside Python's lock).
            None takes the number of CPU cores, at most 8. The output does not depend on it.
        overwrite: Replace an earlier output.

    Returns:
        The content of ``dataset.json``.

    Raises:
        InputError: The input is unusable; every file is looked at before the first five problems are named.
    """
    stride = patch_size if stride is None else stride
    workers = min(8, os.cpu_count() or 1) if workers is None else workers
    if workers < 1:
        raise InputError(f'workers is {workers}; give at least 1')
    grid(max(patch_size, 1), max(patch_size, 1), patch_size, stride)  # speaks up about the sizes before any work
    for fraction in label_fractions:
        label_subset(['any'], np.ones((1, 1)), fraction, seed)
    _check_apart(Path(images), Path(masks), Path(out))
    pairs = find_pairs(images, masks)
    split_of = assign_splits([pair.stem for pair in pairs], val_list, test_list)
    with staged_folder(out, overwrite) as partial:
        for folder in ('images', 'masks', 'splits'):
            (partial / folder).mkdir()
        patches = _cut_all(pairs, partial, palette, patch_size, stride, workers)
        for patch in patches:
            patch['split'] = split_of[patch['stem']]
        subsets = _write_splits(partial / 'splits', patches, label_fractions, seed)
        description = describe(palette, patch_size, stride, seed, patches, subsets, pairs)
        write_description(partial / 'dataset.json', description)
    return description


def _check_apart(images: Path, masks: Path, out: Path) -> None:
    for folder in (images.resolve(), masks.resolve()):
        if out.resolve() == folder or out.resolve() in folder.parents or folder in out.resolve().parents:
            raise InputError(f'{out}: overlaps the input {folder}; give an output folder beside the inputs')
    if images.resolve() == masks.resolve():
        raise InputError(f'{images}: images and masks are the same folder; give one folder for each')


def _cut_all(
    pairs: list[Pair], out: Path, palette: Palette, size: int, stride: int, workers: int
) -> list[dict[str, object]]:
    console = Console(stderr=True)
    results: dict[str, list[dict]] = {}
    failures: dict[str, str] = {}
    pool = ThreadPoolExecutor(workers)
    try:
        tasks = {pool.submit(_cut, pair, out, palette, size, stride): pair.stem for pair in pairs}
        with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
            for task in progress.track(as_completed(tasks), total=len(tasks), description='cutting'):
                try:
                    results[tasks[task]] = task.result()
                except InputError as error:
                    failures[tasks[task]] = str(error)
    finally:
        pool.shutdown(cancel_futures=True)
    if len(failures) == 1:
        raise InputError(next(iter(failures.values())))
    if failures:
        texts = [failures[stem] for stem in sorted(failures)]
        more = f' | and {len(texts) - 5} more' if len(texts) > 5 else ''
        raise InputError(f'{len(texts)} of {len(pairs)} pairs are unusable: {" | ".join(texts[:5])}{more}')
    return [patch for pair in pairs for patch in results[pair.stem]]


def _cut(pair: Pair, out: Path, palette: Palette, size: int, stride: int) -> list[dict]:
    """Cut one pair; returns one record a patch, in the order of the windows."""
    image = read_image(pair.image)
    height, width = image.shape[:2]
    try:
        windows = grid(height, width, size, stride)
    except InputError as error:
        raise InputError(f'{pair.image}: {error}') from error
    index = read_mask(pair.mask, palette)
    if index.shape != (height, width):
        raise InputError(
            f'{pair.mask}: mask of {index.shape[0]} x {index.shape[1]} pixels (height x width), but its image '
            f'{pair.image} has {height} x {width}; give the mask of this image'
        )
    patches = []
    for row, column in windows:
        name = f'{pair.stem}_{row}_{column}'
        window = np.s_[row : row + size, column : column + size]
        _write_png(out / 'images' / f'{name}.png', image[window])
        _write_png(out / 'masks' / f'{name}.png', index[window])
        counts = np.bincount(index[window].ravel(), minlength=IGNORE_INDEX + 1)
        pixels = [*counts[: len(palette.classes)].tolist(), int(counts[IGNORE_INDEX])]
        patches.append({'name': name, 'stem': pair.stem, 'row': row, 'col': column, 'pixels': pixels})
    return patches


def _write_png(path: Path, pixels: np.ndarray) -> None:
    path.write_bytes(cv2.imencode('.png', np.ascontiguousarray(pixels))[1].tobytes())


def _write_splits(folder: Path, patches: list[dict], fractions: Sequence[float], seed: int) -> list[dict]:
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
    for fraction in sorted(set(fractions)):
        chosen, missing = label_subset(names, counts, fraction, seed)
        name = f'train_{fraction * 100:g}pct'
        write_list(folder / f'{name}.txt', chosen)
        subsets.append({'name': name, 'fraction': fraction, 'names': chosen, 'missing': missing})
    return subsets
