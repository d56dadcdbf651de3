"""Show test patches in strips: image, label, and the prediction of each run side by side."""

import html
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from projects.false.common.errors import InputError
from projects.false.imagery.images import read_image, read_index_mask
from projects.false.imagery.palettes import IGNORE_INDEX, Palette
from projects.false.imagery.rasters import open_raster
from projects.false.patch_folder.description import read_labelled_description
from projects.false.patch_folder.lists import file_in_any_form, read_list

from .pictures import embedded, mask_picture, photo, three_bands
from .score_tables import Run


def choose_patches(data_root: str | Path, count: int, part: str = 'test') -> list[str]:
    """Choose the patches of a list that show the most classes.

    Ties go to the patch whose largest class takes the least space, then to the first name.

    Args:
        data_root: Folder with ``splits/<part>.txt`` and ``dataset.json``.
        count: Number of patches, at least 1; a shorter list gives fewer.
        part: Name of the list.

    Raises:
        InputError: A file is missing or damaged, or the list names a patch that ``dataset.json`` does not know.
    """
    data_root = Path(data_root)
    records = read_labelled_description(data_root)['patches']
    pixels = {record['name']: np.array(record['pixels'][:-1], np.int64) for record in records}
    names = read_list(data_root / 'splits' / f'{part}.txt', pixels.keys())
    unknown = [name for name in names if name not in pixels]
    if unknown:
        raise InputError(
            f'{data_root / "dataset.json"}: does not know {unknown[0]!r} of splits/{part}.txt; convert the data again'
        )

    def rank(name: str) -> tuple[int, float, str]:
        counts = pixels[name]
        return -int((counts > 0).sum()), float(counts.max() / max(counts.sum(), 1)), name

    return sorted(names, key=rank)[:count]


def strip(name: str, runs: Sequence[Run], data_root: str | Path, palette: Palette) -> str:
    """Return one strip: image, label and predictions of a patch, each prediction with its share of correct pixels.

    Raises:
        InputError: An image, mask or prediction is missing, damaged or of another size.
    """
    image = _picture(Path(data_root) / 'images', name)
    label = read_index_mask(file_in_any_form(Path(data_root) / 'masks', f'{name}.png'), len(palette.classes))
    title = html.escape(name)
    present = len(np.unique(label[label != IGNORE_INDEX]))
    heading = f'<p class="patch">{title.replace("_", "_<wbr>")}<br><span class="muted">{present} classes</span></p>'
    cells = [
        _figure(embedded(photo(image), f'image of patch {title}'), 'image'),
        _figure(embedded(mask_picture(label, palette), f'label of patch {title}'), 'label'),
    ]
    for run in runs:
        prediction = _prediction(run, name, label.shape, len(palette.classes))
        counted = label != IGNORE_INDEX
        right = 'no label' if not counted.any() else f'{100 * (prediction == label)[counted].mean():.0f} % correct'
        run_name = html.escape(run.name)
        alt = f'prediction for patch {title}, start from {run_name}: {right}'
        note = f'{run_name} <span class="right">{right}</span>'
        cells.append(_figure(embedded(mask_picture(prediction, palette), alt), note))
    return f'<div class="strip long">{heading}<div class="cells">{"".join(cells)}</div></div>'


def _picture(folder: Path, name: str) -> np.ndarray:
    """Read a patch as (H, W, 3): its first three bands, or its first one in grey."""
    path, bands = file_in_any_form(folder, f'{name}.tif'), 3
    if path.is_file():
        with open_raster(path) as raster:
            bands = raster.count
    else:
        path = file_in_any_form(folder, f'{name}.png')
        found = cv2.imread(str(path), cv2.IMREAD_UNCHANGED) if path.is_file() else None
        bands = 1 if found is not None and found.ndim == 2 else 3
    return three_bands(read_image(path, bands))


def _prediction(run: Run, name: str, shape: tuple[int, ...], num_classes: int) -> np.ndarray:
    path = file_in_any_form(Path(run.predictions), f'{name}.png')
    if not path.is_file():
        raise InputError(
            f'{path}: no prediction of run {run.name!r}; '
            f'evaluate it again with tools/test.py --predictions {run.predictions}'
        )
    prediction = read_index_mask(path, num_classes)
    if prediction.shape != shape:
        raise InputError(
            f'{path}: prediction of shape {prediction.shape} for a label of shape {shape}; '
            'it belongs to other data: evaluate the run again with tools/test.py --predictions'
        )
    return prediction


def _figure(picture: str, caption: str) -> str:
    return f'<figure>{picture}<figcaption>{caption}</figcaption></figure>'
