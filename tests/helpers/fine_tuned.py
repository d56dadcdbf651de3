"""A recipe with a checkpoint of random weights, as tools/train.py leaves one."""

import torch
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope
from mmengine.utils import import_modules_from_strings

from projects.false.imagery.palettes import PALETTES
from tests.helpers.tools import REPOSITORY


def save_fine_tuned(folder, bands=3, recipe='upernet_r18_mbrsc', **meta):
    """Write ``mine.py`` and ``iter_1.pth`` of a recipe of UPerNet, 5 classes of MBRSC, windows of 64 pixels."""
    config, checkpoint = folder / 'mine.py', folder / 'iter_1.pth'
    lines = [
        f"_base_ = '{REPOSITORY}/configs/{recipe}.py'",
        'model = dict(data_preprocessor=dict(size=(64, 64)))',
    ]
    if bands != 3:
        mean, std = [90.0 + 10 * band for band in range(bands)], [40.0 + band for band in range(bands)]
        lines += [
            f"model = dict(backbone=dict(in_channels={bands}), data_preprocessor=dict(type='BandPreProcessor', "
            f'size=(64, 64), mean={mean}, std={std}))',
            f"load = dict(type='LoadPatch', bands={bands})",
            "pipeline = [load, dict(type='LoadIndexMask'), dict(type='PackSegInputs')]",
            'test_dataloader = dict(dataset=dict(pipeline=pipeline))',
        ]
    config.write_text('\n'.join(lines) + '\n')
    cfg = Config.fromfile(config)
    import_modules_from_strings(**cfg.custom_imports)
    init_default_scope('mmseg')
    cfg.model.backbone.init_cfg = None
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    model.init_weights()
    with torch.no_grad():  # so that normalisation must be right and logits differ
        for module in model.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.1)
                module.running_var.uniform_(0.5, 1.5)
        model.decode_head.conv_seg.weight.normal_(0, 0.3)
    palette = PALETTES['mbrsc']
    known = {'dataset_meta': {'classes': list(palette.classes), 'palette': [list(color) for color in palette.colors]}}
    torch.save({'state_dict': model.state_dict(), 'meta': known | meta}, checkpoint)
    return config, checkpoint
