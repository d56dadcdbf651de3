"""What land cover a view shows: the labels of its window, or of its whole patch."""

import numpy as np
from mmcv.transforms import BaseTransform
from mmengine.registry import TRANSFORMS

from projects.false.datasets.labelled_patches import class_counts
from projects.false.datasets.view_labels import window_counts
from projects.false.errors import InputError

SCOPES = ('view', 'patch')


@TRANSFORMS.register_module()
class CountViewLabels(BaseTransform):
    """Count the pixels of every class that each view shows, into ``results['view_classes']``.

    Takes ``results['gt_seg_map']``, the mask of the patch, and ``results['view_windows']`` of
    :class:`~projects.false.datasets.ContrastiveViews`, and leaves the views alone.

    Args:
        classes: Number of classes.
        scope: ``'view'`` counts in the window of each view; ``'patch'`` in the whole patch, for all views alike.

    Shape:
        - ``view_classes``: (views, classes), int; row v is that of view v; and of ``'patch'`` (1, classes).

    Raises:
        InputError: ``'view'``, and the step that makes the views tells no windows.
    """

    def __init__(self, classes: int, scope: str = 'view') -> None:
        if scope not in SCOPES:
            raise InputError(f'labels are of the {" or the ".join(SCOPES)}, got {scope!r}')
        self.classes, self.scope = classes, scope

    def transform(self, results: dict) -> dict:
        """Count, and drop the mask."""
        mask = results.pop('gt_seg_map')
        results['seg_fields'] = []
        if self.scope == 'patch':
            results['view_classes'] = class_counts(mask, self.classes)[None]
            results['view_windows'] = np.array([[0, 0, *mask.shape]])
            return results
        if 'view_windows' not in results:
            raise InputError(
                'the pipeline does not tell which part of a patch a view shows; make views with ContrastiveViews, or '
                'give --labels patch'
            )
        results['view_classes'] = window_counts(mask, results['view_windows'], self.classes)
        return results
