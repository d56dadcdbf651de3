"""The same pixels are the same numbers everywhere, and a class keeps its index from label colour to map colour."""

import cv2
import numpy as np
import pytest
import rasterio
import torch
from mmengine.config import Config
from mmengine.dataset import Compose, default_collate, pseudo_collate
from mmengine.registry import DATASETS, MODELS, init_default_scope
from mmengine.utils import import_modules_from_strings

from projects.false.converters.color_masks import convert_color_masks
from projects.false.converters.options import CutOptions
from projects.false.imagery.mask_colors import index_to_colors
from projects.false.imagery.palettes import load_palette
from tests.helpers.tools import REPOSITORY

CONFIGS = REPOSITORY / 'configs'


def load(name):
    config = Config.fromfile(CONFIGS / name)
    import_modules_from_strings(**config.custom_imports)
    init_default_scope(config.default_scope)
    return config


def at_the_backbone(config, batch, training):
    """The output of the recipe's preprocessor, which is the input of the backbone."""
    return MODELS.build(config.model.data_preprocessor)(batch, training)['inputs']


@pytest.fixture(params=['.png', '.tif', '.jpg'])
def image_file(request, tmp_path):
    generator = np.random.default_rng(0)
    rgb = cv2.resize(generator.integers(0, 256, (16, 16, 3), dtype=np.uint8), (128, 128))
    path = tmp_path / f'patch{request.param}'
    if request.param == '.tif':
        profile = dict(driver='GTiff', height=128, width=128, count=3, dtype='uint8')
        with rasterio.open(path, 'w', **profile) as raster:
            raster.write(np.moveaxis(rgb, -1, 0))
    else:
        cv2.imwrite(str(path), rgb[..., ::-1])
    # JPEG decoders differ in how they enlarge the colour channels: OpenCV's is the one to expect.
    pixels = cv2.imread(str(path))[..., ::-1] if request.param == '.jpg' else rgb
    return path, pixels


def test_pretraining_fine_tuning_and_test_see_the_same(image_file, tmp_path):
    path, pixels = image_file
    mask = tmp_path / 'mask.png'
    cv2.imwrite(str(mask), np.zeros((128, 128), np.uint8))
    labelled = dict(img_path=str(path), seg_map_path=str(mask), num_classes=7, ignore_index=255)

    config = load('false_simclr_r18_synthetic.py')
    steps = config.train_dataloader.dataset.pipeline
    steps[1].update(
        size=128,
        window=None,
        crop_scale=(1, 1),
        crop_ratio=(1, 1),
        flip_prob=0,
        vertical_flip_prob=0,
        jitter_prob=0,
        grey_prob=0,
    )
    steps[1].blur_prob = 0
    sample = Compose(steps)({'img_path': str(path), 'sample_idx': 0})
    views = at_the_backbone(config, default_collate([sample]), training=True)

    config = load('upernet_r18_synthetic.py')
    train_steps = [s for s in config.train_dataloader.dataset.pipeline if s.type != 'RandomFlip']
    trained = Compose(train_steps)({**labelled, 'seg_fields': [], 'reduce_zero_label': False})
    trained = at_the_backbone(config, pseudo_collate([trained]), training=True)
    test_steps = config.test_dataloader.dataset.pipeline
    tested = Compose(test_steps)({**labelled, 'seg_fields': [], 'reduce_zero_label': False})
    tested = at_the_backbone(config, pseudo_collate([tested]), training=False)

    assert torch.equal(views[0], views[1])
    assert torch.equal(views[0], trained)
    assert torch.equal(views[0], tested)
    mean, std = np.array([123.675, 116.28, 103.53]), np.array([58.395, 57.12, 57.375])
    expected = torch.from_numpy(np.moveaxis((pixels - mean) / std, -1, 0)[None]).float()
    torch.testing.assert_close(views[0], expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize('name', ['upernet_r50_potsdam', 'upernet_r50_dglc', 'upernet_r50_xiangtan'])
def test_all_recipes_share_the_pixel_base(name):
    given = load(f'{name}.py').model.data_preprocessor
    other = load('false_simclr_r50_potsdam_released.py').model.data_preprocessor
    assert {key: given[key] for key in ('mean', 'std', 'bgr_to_rgb')} == {
        key: other[key] for key in ('mean', 'std', 'bgr_to_rgb')
    }


@pytest.mark.parametrize('name', ['potsdam', 'dglc', 'mbrsc', 'synthetic'])
def test_every_class_keeps_its_index_to_the_map(name, tmp_path):
    """One pixel of every class: RGB label -> converter -> data set -> loss and metric -> colour of the prediction."""
    palette = load_palette(name)
    classes = len(palette.classes)
    row = np.array([*palette.colors, *palette.ignore_colors], np.uint8)[None]
    size = 64
    label = np.zeros((size, size, 3), np.uint8) + row[:, :1]
    label[0, : row.shape[1]] = row[0]
    for folder in ('images', 'masks'):
        (tmp_path / folder).mkdir()
        cv2.imwrite(str(tmp_path / folder / 'tile.png'), label[..., ::-1])
    options = CutOptions(size, label_fractions=(1.0,), workers=1)
    convert_color_masks(tmp_path / 'images', tmp_path / 'masks', tmp_path / 'data', palette, options)

    config = load(f'upernet_{"r18" if name in ("mbrsc", "synthetic") else "r50"}_{name}.py')
    dataset = config.test_dataloader.dataset
    dataset.update(data_root=str(tmp_path / 'data'), ann_file='splits/train.txt')
    data = DATASETS.build(dataset)
    assert list(data.metainfo['classes']) == list(palette.classes)
    sample = data[0]
    target = sample['data_samples'].gt_sem_seg.data[0]
    assert target[0, :classes].tolist() == list(range(classes))
    assert (target[0, classes : row.shape[1]] == 255).all()

    loss = MODELS.build(config.model.decode_head.loss_decode)
    logits = torch.zeros(1, classes, size, size)
    valid = target.clone()
    valid[valid == 255] = 0
    logits.scatter_(1, valid[None, None], 20.0)
    assert loss(logits, target[None], ignore_index=255) < 1e-5
    assert loss(logits.roll(1, dims=1), target[None], ignore_index=255) > 5

    from projects.false.evaluation import LandCoverMetric

    metric = LandCoverMetric()
    metric.dataset_meta = data.metainfo
    prediction = logits.argmax(1)
    metric.process({}, [{'pred_sem_seg': {'data': prediction}, 'gt_sem_seg': {'data': target[None]}, 'img_path': 'x'}])
    found = metric.evaluate(1)
    assert found['mIoU'] == 100
    assert [found[f'IoU.{name}'] for name in palette.classes] == [100] * classes
    colors = index_to_colors(prediction[0].numpy().astype(np.uint8), palette)
    assert (colors[0, :classes] == row[0, :classes]).all()


def test_a_map_sees_the_same(image_file, tmp_path):
    """The pixels that reach the backbone while an image is mapped are those of the test pipeline."""
    from projects.false.mapping.load_segmenter import load_segmenter
    from projects.false.mapping.map_rasters import map_rasters
    from tests.helpers.fine_tuned import save_fine_tuned

    path, _ = image_file
    recipe, checkpoint = save_fine_tuned(tmp_path)
    segmenter, seen = load_segmenter(str(recipe), str(checkpoint)), {}
    segmenter.model.backbone.register_forward_pre_hook(lambda _, inputs: seen.setdefault(len(seen), inputs[0]))
    list(map_rasters(segmenter, [path], tmp_path / 'out'))

    config = load('upernet_r18_mbrsc.py')
    mask = tmp_path / 'mask.png'
    cv2.imwrite(str(mask), np.zeros((128, 128), np.uint8))
    labelled = dict(img_path=str(path), seg_map_path=str(mask), num_classes=5, ignore_index=255)
    tested = Compose(config.test_dataloader.dataset.pipeline)(
        {**labelled, 'seg_fields': [], 'reduce_zero_label': False}
    )
    whole = at_the_backbone(config, pseudo_collate([tested]), training=False)[0]
    windows = torch.cat(list(seen.values()))
    places = [(row, column) for row in (0, 32, 64) for column in (0, 32, 64)]
    expected = torch.stack([whole[:, row : row + 64, column : column + 64] for row, column in places])
    assert torch.equal(windows, expected)
