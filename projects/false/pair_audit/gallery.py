"""Show picked pairs as pictures: both views as the network sees them, and the labels of what they show."""

import html
from typing import Any

import cv2
import numpy as np
import torch
from mmengine.dataset import default_collate
from torch import Tensor

from projects.false.common.errors import InputError
from projects.false.datasets.view_labels import class_counts
from projects.false.imagery.palettes import IGNORE_INDEX, Palette
from projects.false.models.preprocessor import ViewPreprocessor
from projects.false.reports.pictures import embedded, mask_picture

from .judge import Example
from .replay import View

SIDE = 112  # largest side of a picture in pixels


class Gallery:
    """Gallery of examples, whose views are made again from their seeds.

    Args:
        dataset: The data set of the audited loader.
        preprocessor: The preprocessor of the model.
        palette: Classes of the data and their colours.
    """

    def __init__(self, dataset: Any, preprocessor: ViewPreprocessor, palette: Palette) -> None:
        self.dataset, self.preprocessor, self.palette = dataset, preprocessor, palette

    def strip(self, example: Example) -> str:
        """Return one row of HTML: each view as the network saw it, the image there, and its label."""
        same = 'the same' if self._dominant(example.anchor) == self._dominant(example.other) else 'another'
        numbers = (
            f'cosine {example.cosine:.2f}<br><span class="muted">own views {example.positive_cosine:.2f}<br>'
            f'overlap {example.overlap:.2f}</span>'
        )
        cells = [f'<p class="patch">{same} class<br>{numbers}</p>']
        for who, view in (('anchor', example.anchor), ('picked', example.other)):
            for kind, picture in self.pictures(view).items():
                note = f'{who}: {html.escape(self._class_name(view))}' if kind == 'label' else f'{who}, {kind}'
                name = html.escape(self._name(view))
                cells.append(
                    f'<figure>{embedded(picture, f"{kind} of {who} {name}")}<figcaption>{note}</figcaption></figure>'
                )
        return f'<div class="strip">{"".join(cells)}</div>'

    def pictures(self, view: View) -> dict[str, np.ndarray]:
        """Return the ``view`` as the network sees it, the ``image`` that it is cut from, and the ``label`` there.

        Shape:
            - each: (side, side, 3), side at most SIDE, uint8, BGR; image and label are neither mirrored nor coloured
        """
        visit, number = view
        packed = self.dataset[visit]
        seen = self.preprocessor({'inputs': default_collate([packed['inputs']])}, True)['inputs'][number][0]
        image, mask = self._patch(view)
        label = mask_picture(mask, self.palette)
        return {'view': _square(self._pixels(seen)), 'image': _square(image[..., :3]), 'label': _square(label, True)}

    def _pixels(self, seen: Tensor) -> np.ndarray:
        """Undo the normalisation and put blue first."""
        levels = seen * self.preprocessor.std + self.preprocessor.mean
        pixels = levels[:3].round().clamp(0, 255).to(torch.uint8).cpu().numpy().transpose(1, 2, 0)
        return pixels[..., ::-1] if self.preprocessor.bgr_to_rgb else pixels

    def _patch(self, view: View) -> tuple[np.ndarray, np.ndarray]:
        """Return image and mask in the window of a view."""
        visit, number = view
        entry = self.dataset.get_data_info(visit)
        steps = {type(step).__name__: step for step in self.dataset.pipeline.transforms}
        if 'LoadPatch' not in steps:
            raise InputError('the gallery needs LoadPatch in the pipeline, which lacks it; give --examples 0')
        loaded = steps['LoadIndexMask'](steps['LoadPatch'](entry))
        windows = self.dataset[visit]['data_samples'].view_windows
        top, left, height, width = windows[min(number, len(windows) - 1)]
        window = slice(top, top + height), slice(left, left + width)
        return loaded['img'][window], loaded['gt_seg_map'][window]

    def _dominant(self, view: View) -> int:
        counts = class_counts(self._patch(view)[1], len(self.palette.classes))
        return int(counts.argmax()) if counts.any() else IGNORE_INDEX

    def _class_name(self, view: View) -> str:
        mask = self._patch(view)[1]
        counts = class_counts(mask, len(self.palette.classes))
        return f'{self.palette.classes[int(counts.argmax())]} {counts.max() / max(counts.sum(), 1):.0%}'

    def _name(self, view: View) -> str:
        return self.dataset.get_data_info(view[0])['img_path'].rsplit('/', 1)[-1]


def _square(picture: np.ndarray, nearest: bool = False) -> np.ndarray:
    """Resize a picture to a square of at most SIDE pixels, as the network sees a window."""
    side = min(SIDE, max(picture.shape[:2]))
    picture = np.ascontiguousarray(picture if picture.shape[2] == 3 else np.repeat(picture[..., :1], 3, axis=2))
    return cv2.resize(picture, (side, side), interpolation=cv2.INTER_NEAREST_EXACT if nearest else cv2.INTER_AREA)
