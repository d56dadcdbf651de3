"""Draw samples as a recipe's data pipeline makes them: pairs of views, or images with their labels."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from mmengine.dataset import BaseDataset, ConcatDataset
from torch import Tensor

from projects.false.common.errors import InputError
from projects.false.datasets.seeding import SampleIndex
from projects.false.datasets.views.color_device import apply_steps
from projects.false.imagery.images import band_order
from projects.false.imagery.palettes import IGNORE_INDEX, Palette

from .pictures import contact_sheet, enlarged, mask_picture, three_bands

ROWS = 6  # samples per sheet


def sample_sheets(dataset: BaseDataset | ConcatDataset, number: int, title: str, seed: int = 0) -> Iterator[np.ndarray]:
    """Draw samples from all over the data set, as they reach the model.

    Args:
        dataset: The data set with its pipeline.
        number: Number of samples, at least 1; a smaller data set gives fewer.
        title: Text at the top of every sheet.
        seed: Seed of the augmentation, at least 0.

    Yields:
        Sheets of up to :data:`ROWS` samples, (H, W, 3), uint8, BGR. They show patch and views for pretraining; for
        segmentation, the augmented image, its label, and the label over the image.

    Raises:
        InputError: ``number`` is below 1, or a file is missing or damaged.
    """
    if number < 1:
        raise InputError(f'number of samples is {number}; give at least 1')
    chosen = np.linspace(0, len(dataset) - 1, min(number, len(dataset))).round().astype(int).tolist()
    for start in range(0, len(chosen), ROWS):
        rows: list[tuple[str, list[np.ndarray]]] = []
        headings: list[str] = []
        palette = None
        for index in chosen[start : start + ROWS]:
            part, place = _part_of(dataset, index)
            visit = SampleIndex(place, (seed, 0, index))
            entry = part.get_data_info(visit)
            path, packed = entry['img_path'], part[visit]
            label = getattr(packed.get('data_samples'), 'gt_sem_seg', None)
            if label is None:
                headings, pictures = _views(part.pipeline.transforms[0](entry)['img'], packed['inputs'])
            else:
                palette = Palette.from_metainfo(part.metainfo)
                headings = ['image', 'label', 'label over image']
                pictures = _labelled(image_of(packed['inputs']), label.data[0].numpy().astype(np.uint8), palette)
            rows.append((Path(path).name, pictures))
        yield contact_sheet(title, headings, rows, palette)


def _part_of(dataset: BaseDataset | ConcatDataset, index: int) -> tuple[BaseDataset, int]:
    """Return the data set that a sample of joined ones is from, and its index there."""
    if not isinstance(dataset, ConcatDataset):
        return dataset, index
    number, place = dataset._get_ori_dataset_idx(index)
    return _part_of(dataset.datasets[number], place)


def _views(patch: np.ndarray, inputs) -> tuple[list[str], list[np.ndarray]]:
    views = inputs if isinstance(inputs, list | tuple) else [inputs]
    if views[-1].ndim == 2:  # colour steps of the views, which training applies on the device
        *views, steps = views
        order = band_order(len(views[0]))
        rgb = (view[None, order].float() for view in views)
        views = [apply_steps(view, row[None])[0, order].round() for view, row in zip(rgb, steps, strict=True)]
    headings = ['patch', *(f'view {number}, {view.shape[-1]} px' for number, view in enumerate(views, start=1))]
    return headings, [enlarged(three_bands(patch)), *(enlarged(image_of(view)) for view in views)]


def _labelled(image: np.ndarray, label: np.ndarray, palette: Palette) -> list[np.ndarray]:
    colors = np.zeros((256, 3), np.uint8)
    colors[: len(palette.colors)] = np.array(palette.colors)[:, ::-1]
    mixed = cv2.addWeighted(image, 0.5, colors[label], 0.5, 0)
    over = np.where((label == IGNORE_INDEX)[..., None], image, mixed)
    return [enlarged(image), mask_picture(label, palette), enlarged(over)]


def image_of(tensor: Tensor) -> np.ndarray:
    """Turn a packed image, (C, H, W), into a picture, (H, W, 3), uint8: three bands, or the first one in grey."""
    return three_bands(np.clip(tensor[:3].numpy(), 0, 255).astype(np.uint8).transpose(1, 2, 0))
