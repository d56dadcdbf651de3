"""What land cover a patch shows most of: labels for determination ``oracle``, for analysis and upper bounds only."""

from pathlib import Path

import numpy as np
from mmcv.transforms import BaseTransform
from mmengine.registry import TRANSFORMS

from projects.false.errors import InputError

from .color_codes import IGNORE_INDEX
from .palette import MAX_CLASSES
from .reading import read_index_mask


@TRANSFORMS.register_module()
class DominantClass(BaseTransform):
    """Look up the mask beside a patch, and note its commonest class as ``results['land_cover']``.

    The patch must be a file ``.../images/NAME``, its mask ``.../masks/NAME.png``. A patch without a labelled pixel gets
    a negative number of its own, so that it shares its land cover with no other.

    Example:
        ``pipeline=[..., dict(type='DominantClass'), dict(type='PackInputs', algorithm_keys=['land_cover'])]``
    """

    def transform(self, results: dict) -> dict:
        """Read the mask and count.

        Raises:
            InputError: The patch is no file in a folder ``images``, or its mask is missing or damaged.
        """
        path = Path(results['img_path'])
        folders = [folder for folder in path.parents if folder.name == 'images' and path.is_file()]
        if not folders:
            raise InputError(f'{path}: DominantClass needs patches in files below a folder images/; set packed=False')
        mask = (folders[0].parent / 'masks' / path.relative_to(folders[0])).with_suffix('.png')
        if not mask.is_file():
            raise InputError(f'{mask}: no mask for {path}; oracle needs labels for every patch that it pretrains on')
        index = read_index_mask(mask, MAX_CLASSES)
        counts = np.bincount(index[index != IGNORE_INDEX], minlength=1)
        results['land_cover'] = int(counts.argmax()) if counts.any() else -1 - int(results['sample_idx'])
        return results
