"""UPerNet with 64 channels on EfficientNet-Lite0 with ImageNet weights, fine-tuned on few labels of FLAIR #1.

Command: python tools/train.py configs/upernet_lite0_flair.py
         python tools/test.py configs/upernet_lite0_flair.py work_dirs/upernet_lite0_flair/iter_200.pth
Other initialisations: --cfg-options model.backbone.init_cfg.checkpoint=PATH/backbone.pth, or
    --cfg-options model.backbone.init_cfg=None for random weights.
Global batch: 8 on one process. Labels: 5 % of the patches, 35. Hardware: two CPU cores.
The last iteration is the result. Result: docs/results.md.
"""

_base_ = [
    '_base_/models/upernet_lite0.py',
    '_base_/datasets/flair.py',
    '_base_/schedules/upernet_small_known.py',
    '_base_/segmentation.py',
]

model = dict(
    data_preprocessor=dict(size=(128, 128)), decode_head=dict(num_classes=9), auxiliary_head=dict(num_classes=9)
)
