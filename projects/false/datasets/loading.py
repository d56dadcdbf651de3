"""Loading steps of the pipelines, the same for pretraining, fine-tuning and testing."""

from mmcv.transforms import BaseTransform
from mmengine.registry import TRANSFORMS

from projects.false.common.errors import InputError, check_count
from projects.false.imagery.images import read_image, read_index_mask
from projects.false.imagery.mask_checks import check_index_values, check_sizes


@TRANSFORMS.register_module()
class LoadPatch(BaseTransform):
    """Read ``results['img_path']`` into ``results['img']``, shape (H, W, bands), uint8, BGR first.

    A data set without image files (packed patches, windows of rasters) provides ``results['read_image']`` instead, a
    function that returns the pixels.

    Args:
        bands: Number of bands of every image.

    Raises:
        InputError: An image is unusable or has another number of bands.
    """

    def __init__(self, bands: int = 3) -> None:
        check_count('bands of LoadPatch', bands)
        self.bands = bands

    def transform(self, results: dict) -> dict:
        """Read the image and record its size."""
        read = results.pop('read_image', None)
        image = read_image(results['img_path'], self.bands) if read is None else read()
        if image.shape[2] != self.bands:
            raise InputError(
                f'{results["img_path"]}: has {image.shape[2]} band(s), {self.bands} are needed; '
                f'set LoadPatch(bands={image.shape[2]}) in the pipeline, and choose a model that takes as many'
            )
        results['img'] = image
        results['img_shape'] = results['ori_shape'] = image.shape[:2]
        return results


@TRANSFORMS.register_module()
class LoadIndexMask(BaseTransform):
    """Read ``results['seg_map_path']`` into ``results['gt_seg_map']``, shape (H, W), uint8.

    A data set of packed patches provides ``results['read_mask']`` instead, a function that returns the mask.

    Raises:
        InputError: The mask is unusable, has a value that is neither one of ``results['num_classes']`` classes nor the
            ignore index, or has another size than its image.
    """

    def transform(self, results: dict) -> dict:
        """Read and check the mask."""
        read, expected = results.pop('read_mask', None), (results['num_classes'], results['ignore_index'])
        if read is None:
            mask = read_index_mask(results['seg_map_path'], *expected)
        else:
            mask = read()
            check_index_values(mask, results['seg_map_path'], *expected)
        if 'ori_shape' in results:
            paths = results['seg_map_path'], results['img_path']
            check_sizes(mask.shape, results['ori_shape'], *paths, 'convert the pair again')
        results['gt_seg_map'] = mask
        results['seg_fields'].append('gt_seg_map')
        return results
