import pytest
import torch
from mmengine.structures import PixelData
from mmseg.models import SegDataPreProcessor
from mmseg.structures import SegDataSample

from projects.false import InputError
from projects.false.models.preprocessor import ViewPreprocessor
from projects.false.models.segmentation import BandPreProcessor

MEAN, STD = [10.0, 20.0, 30.0, 40.0], [1.0, 2.0, 3.0, 4.0]


def images(bands):
    return [torch.randint(0, 256, (bands, 6, 5), dtype=torch.uint8) for _ in range(2)]


def test_three_bands_are_as_in_mmseg():
    inputs = images(3)
    stock = SegDataPreProcessor(mean=MEAN[:3], std=STD[:3], bgr_to_rgb=True)({'inputs': inputs})['inputs']
    torch.testing.assert_close(BandPreProcessor(MEAN[:3], STD[:3])({'inputs': inputs})['inputs'], stock)


@pytest.mark.parametrize('bands', [1, 2, 4])
def test_any_number_of_bands_is_as_in_pretraining(bands):
    inputs = images(bands)
    options = {'mean': MEAN[:bands], 'std': STD[:bands], 'bgr_to_rgb': bands > 2}
    pretrained = ViewPreprocessor(**options)({'inputs': torch.stack(inputs)})['inputs']
    torch.testing.assert_close(BandPreProcessor(**options)({'inputs': inputs})['inputs'], pretrained)


def test_training_pads_image_and_label():
    samples = [SegDataSample(metainfo={'img_shape': (6, 5)}) for _ in range(2)]
    for sample in samples:
        sample.gt_sem_seg = PixelData(data=torch.zeros(1, 6, 5, dtype=torch.long))
    preprocessor = BandPreProcessor(MEAN, STD, size=(8, 8), pad_val=0, seg_pad_val=255)
    done = preprocessor({'inputs': images(4), 'data_samples': samples}, training=True)
    assert done['inputs'].shape == (2, 4, 8, 8)
    assert (done['data_samples'][0].gt_sem_seg.data[0, 6:] == 255).all()


def test_another_number_of_bands_is_named():
    with pytest.raises(InputError, match=r'the images have 3 bands, .* have 4; give one number a band'):
        BandPreProcessor(MEAN, STD)({'inputs': images(3)})
