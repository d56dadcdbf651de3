"""Unlabelled imagery of any size, pixel type and number of bands, cut into patches for pretraining."""

from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from projects.false.common.errors import InputError, some
from projects.false.common.files import check_apart, staged_folder
from projects.false.common.threads import count_workers, run_all
from projects.false.imagery.levels import choose_ranges
from projects.false.imagery.rasters import Raster, choose_bands, find_rasters, inspect_rasters
from projects.false.imagery.versions import digest_of
from projects.false.patch_folder.description import (
    Conversion,
    describe_bands,
    finished_before,
    take_over,
    write_description,
)
from projects.false.patch_folder.lists import write_list

from .cutting import CutWindows, batch_rows, cut_windows
from .options import RGB, check_window


def convert_rasters(
    sources: Sequence[str | Path],
    out: str | Path,
    patch_size: int,
    stride: int | None = None,
    max_nodata: float = 0.1,
    stretch: Sequence[float] | None = None,
    value_range: Sequence[float] | None = None,
    bands: Sequence[int] | None = None,
    skip_small: bool = False,
    workers: int | None = None,
    overwrite: bool = False,
) -> Conversion:
    """Make ``out`` with ``images/``, ``splits/pretrain.txt`` and ``dataset.json``; it appears once it is complete.

    Where ``out`` is already complete and was made with the same arguments from files of the same size and time, nothing
    is done. Memory does not grow with the rasters: each thread holds a strip of at most 4,096 pixels by ``patch_size``.
    A JPEG is the exception, which is decoded as a whole: one per thread.

    Args:
        sources: Images, by the suffixes of :data:`~projects.false.imagery.image_files.DRIVERS`, and folders; folders
            are searched with all folders below them.
        out: Output folder.
        patch_size: Side of the patches in pixels.
        stride: Distance between neighbouring patches in pixels; None stands for ``patch_size``.
        max_nodata: Largest share of nodata pixels in a patch, 0 to 1. Windows with more, and windows without a valid
            pixel, are dropped and counted. Nodata pixels become 0.
        stretch: Percentiles that become 0 and 255. The default is 2 and 98 for 16-bit imagery; 8-bit imagery is not
            stretched by default.
        value_range: Values that become 0 and 255, instead of percentiles; required for floating-point imagery.
        bands: Bands to take, counted from 1, red first; None requires images of three bands.
        skip_small: Leave out images that are smaller than a patch, and count them.
        workers: Number of threads; None takes the number of CPU cores, at most 8.
        overwrite: Replace an earlier output.

    Raises:
        InputError: The input is unusable, no patch is left of it, or an argument is out of range.
    """
    stride = patch_size if stride is None else stride
    workers = count_workers(workers)
    check_window(patch_size, stride)
    if not 0 <= max_nodata <= 1:
        raise InputError(f'max nodata is {max_nodata}; give a share from 0 to 1')
    check_apart(out, *sources)
    paths, left_out = find_rasters(sources)
    arguments = {
        'converter': 'rasters',
        'files': [str(path.resolve()) for path in paths],
        'files_state': digest_of(paths),
        'patch_size': patch_size,
        'stride': stride,
        'max_nodata': max_nodata,
        'stretch': list(stretch) if stretch else None,
        'range': list(value_range) if value_range else None,
        'bands': list(bands) if bands else None,
        'skip_small': skip_small,
    }
    earlier = finished_before(out, arguments, overwrite, unknown=['files_state'])
    if earlier:
        return earlier
    rasters = inspect_rasters(paths)
    chosen = choose_bands(rasters, bands)
    rasters, small = _without_small(rasters, patch_size, skip_small)
    ranges = choose_ranges(rasters, chosen, stretch, value_range)
    notes: list[str] = []
    with staged_folder(out, overwrite) as staged:
        for folder in ('images', 'splits'):
            (staged / folder).mkdir()
        cut = partial(cut_windows, out=staged, bands=chosen, size=patch_size, max_nodata=max_nodata, ranges=ranges)
        tasks = {
            f'{raster.stem} {number}': partial(cut, raster, windows)
            for raster in rasters
            for number, windows in enumerate(batch_rows(raster, patch_size, stride))
        }
        results = list(run_all(tasks, workers, 'cutting', 'images', len(rasters)).values())
        names = [patch.name for result in results for patch in result.patches]
        dropped = sum(result.dropped for result in results)
        if not names:
            raise InputError(
                f'{out}: each of the {dropped} windows has more nodata than {max_nodata:g}; give a larger --max-nodata '
                'or a smaller --patch-size'
            )
        write_list(staged / 'splits' / 'pretrain.txt', names)
        description = {
            'patch_size': patch_size,
            'stride': stride,
            **describe_bands(
                _band_names(rasters[0], chosen, bands), np.sum([result.levels for result in results], axis=0)
            ),
            'ranges': ranges,
            'transparency': [raster.stem for raster in rasters if raster.alpha and raster.band_count not in chosen],
            'dropped_windows': dropped,
            'skipped_small': [str(raster.path) for raster in small],
            **({'left_out': left_out} if left_out else {}),
            'arguments': arguments,
            'splits': {'pretrain': {'patches': len(names)}},
            'sources': _describe_sources(rasters, results),
            'patches': [{**patch._asdict(), 'split': 'pretrain'} for result in results for patch in result.patches],
        }
        write_description(staged / 'dataset.json', description)
        notes += take_over(out, staged, names)
    return Conversion(description, notes=tuple(notes))


def _without_small(rasters: list[Raster], size: int, skip: bool) -> tuple[list[Raster], list[Raster]]:
    small = [raster for raster in rasters if min(raster.height, raster.width) < size]
    if small and (not skip or len(small) == len(rasters)):
        named = some(f'{raster.path} ({raster.height} x {raster.width})' for raster in small)
        least = min(min(raster.height, raster.width) for raster in small)
        way_out = '' if len(small) == len(rasters) else ', or leave them out with --skip-small'
        raise InputError(
            f'{len(small)} of {len(rasters)} images are smaller than the patch size {size}: {named}; '
            f'give a patch size of at most {least}{way_out}'
        )
    return [raster for raster in rasters if raster not in small], small


def _band_names(raster: Raster, chosen: Sequence[int], bands: Sequence[int] | None) -> list[str]:
    if bands is None and not any(raster.names):
        return list(RGB)
    return [raster.names[band - 1] or f'band {band}' for band in chosen]


def _describe_sources(rasters: Sequence[Raster], results: Sequence[CutWindows]) -> dict[str, dict[str, Any]]:
    kept = Counter(patch.source for result in results for patch in result.patches)
    return {
        raster.stem: {
            'image': raster.path.as_posix(),
            **raster.place,
            'height': raster.height,
            'width': raster.width,
            'patches': kept[raster.stem],
        }
        for raster in rasters
    }
