"""The land cover that a patch or a view shows, counted in its mask: for the oracle, audits and upper bounds only."""

from pathlib import Path

import numpy as np
from mmcv.transforms import BaseTransform
from mmengine.registry import TRANSFORMS

from projects.false.common.errors import InputError
from projects.false.imagery.images import read_index_mask
from projects.false.imagery.palettes import IGNORE_INDEX, MAX_CLASSES
from projects.false.patch_folder.lists import file_in_any_form

SCOPES = ('view', 'patch')


@TRANSFORMS.register_module()
class DominantClass(BaseTransform):
    """Read the mask beside a patch, and store its most common class as ``results['land_cover']``.

    The patch must be a file ``.../images/NAME``, and its mask ``.../masks/NAME.png``. A patch without a labelled pixel
    gets a unique negative number, so that it shares its land cover with no other patch.

    Example:
        ``pipeline=[..., dict(type='DominantClass'), dict(type='PackInputs', algorithm_keys=['land_cover'])]``
    """

    field = 'land_cover'

    def transform(self, results: dict) -> dict:
        """Read the mask and count.

        Raises:
            InputError: The patch is not a file in a folder ``images``, or its mask is missing or damaged.
        """
        counts = class_counts(mask_of_patch(results['img_path'], type(self).__name__, MAX_CLASSES), MAX_CLASSES)
        results['land_cover'] = int(counts.argmax()) if counts.any() else -1 - int(results['sample_idx'])
        return results


@TRANSFORMS.register_module()
class ViewLandCover(BaseTransform):
    """Read the mask beside a patch, and store what each view shows as ``results['land_cover']``.

    Place it after :class:`ContrastiveViews`, whose ``results['view_windows']`` it reads. The patch must be a file
    ``.../images/NAME``, and its mask ``.../masks/NAME.png``.

    Args:
        classes: Number of classes.

    Shape:
        - ``land_cover``: (views, classes), float32, the share of each class among the labelled pixels in the window of
          each view. A view without labelled pixels has zeros and shares its land cover with no other view.

    Example:
        ``pipeline=[..., dict(type='ContrastiveViews', ...), dict(type='ViewLandCover', classes=5),
        dict(type='PackInputs', algorithm_keys=['land_cover'])]``
    """

    field = 'land_cover'

    def __init__(self, classes: int) -> None:
        if not isinstance(classes, int) or not 1 <= classes <= MAX_CLASSES:
            raise InputError(f'classes of ViewLandCover is a number from 1 to {MAX_CLASSES}, got {classes!r}')
        self.classes = classes

    def transform(self, results: dict) -> dict:
        """Read the mask and count.

        Raises:
            InputError: The patch is not a file in a folder ``images``, its mask is missing, damaged or has other
                classes, or no earlier step stored the windows of the views.
        """
        if 'view_windows' not in results:
            raise InputError('ViewLandCover needs to know what each view shows; put it after ContrastiveViews')
        mask = mask_of_patch(results['img_path'], type(self).__name__, self.classes)
        results['land_cover'] = window_shares(mask, results['view_windows'], self.classes)
        return results


def window_counts(mask: np.ndarray, windows: np.ndarray, classes: int) -> np.ndarray:
    """Count the pixels of every class in windows of a mask; ignored pixels do not count.

    Shape:
        - mask: (H, W), class indices. windows: (V, 4), top, left, height and width. Result: (V, classes), int.
    """
    return np.array(
        [class_counts(mask[top : top + height, left : left + width], classes) for top, left, height, width in windows]
    )


def window_shares(mask: np.ndarray, windows: np.ndarray, classes: int) -> np.ndarray:
    """Return the share of every class among the labelled pixels in windows of a mask; zeros where none is labelled.

    Shape:
        - mask, windows: see :func:`window_counts`. Result: (V, classes), float32.
    """
    counts = window_counts(mask, windows, classes)
    shares: np.ndarray = (counts / np.maximum(counts.sum(1, keepdims=True), 1)).astype(np.float32)
    return shares


def mask_of_patch(image: str, asked_by: str, classes: int) -> np.ndarray:
    """Read the class indices, (H, W), of a patch ``.../images/NAME`` from ``.../masks/NAME.png``.

    Args:
        image: Path of the patch.
        asked_by: Pipeline step that needs the mask, for the message.
        classes: Number of classes.

    Raises:
        InputError: The patch is not a file in a folder ``images``, or its mask is missing, damaged or has other
            classes.
    """
    path = Path(image)
    folders = [folder for folder in path.parents if folder.name == 'images' and path.is_file()]
    if not folders:
        raise InputError(f'{path}: {asked_by} needs patches in files below a folder images/; set packed=False')
    name = path.relative_to(folders[0]).with_suffix('.png').as_posix()
    mask = file_in_any_form(folders[0].parent / 'masks', name)
    if not mask.is_file():
        raise InputError(f'{mask}: no mask for {path}; oracle needs labels for every patch that it pretrains on')
    return read_index_mask(mask, classes)


@TRANSFORMS.register_module()
class CountViewLabels(BaseTransform):
    """Count the pixels of every class that each view shows, into ``results['view_classes']``.

    It reads ``results['gt_seg_map']``, the mask of the patch, and ``results['view_windows']`` of
    :class:`~projects.false.datasets.ContrastiveViews`. The views stay unchanged.

    Args:
        classes: Number of classes.
        scope: ``'view'`` counts in the window of each view, ``'patch'`` once in the whole patch.

    Shape:
        - ``view_classes``: int, (views, classes) for ``'view'`` and (1, classes) for ``'patch'``.

    Raises:
        InputError: ``scope`` is unknown, or is ``'view'`` and no earlier step stored the windows of the views.
    """

    def __init__(self, classes: int, scope: str = 'view') -> None:
        if scope not in SCOPES:
            raise InputError(f'labels are of the {" or the ".join(SCOPES)}, got {scope!r}')
        self.classes, self.scope = classes, scope

    def transform(self, results: dict) -> dict:
        """Count, and remove the mask from the results."""
        mask = results.pop('gt_seg_map')
        results['seg_fields'] = []
        if self.scope == 'patch':
            results['view_classes'] = class_counts(mask, self.classes)[None]
            results['view_windows'] = np.array([[0, 0, *mask.shape]])
            return results
        if 'view_windows' not in results:
            raise InputError(
                'the windows of the views are unknown; make views with ContrastiveViews, or give --labels patch'
            )
        results['view_classes'] = window_counts(mask, results['view_windows'], self.classes)
        return results


def class_counts(mask: np.ndarray, classes: int) -> np.ndarray:
    """Count the pixels of every class in a mask of class indices, (classes,); ignored pixels do not count."""
    return np.bincount(mask.ravel(), minlength=IGNORE_INDEX + 1)[:classes]
