"""Linear probe: one 1x1 convolution on a frozen ResNet-18, trained on few labels of FLAIR #1.

Command: python tools/train.py configs/linear_r18_flair.py
         python tools/test.py configs/linear_r18_flair.py work_dirs/linear_r18_flair/iter_400.pth
The last stage alone: --cfg-options model.decode_head.in_index=3 model.decode_head.in_channels=512
Other initialisations: --cfg-options model.backbone.init_cfg.checkpoint=PATH/backbone.pth (or ImageNet weights), or
    --cfg-options model.backbone.init_cfg=None for random weights, which stay random here.
Global batch: 8 on one process. Labels: 5 % of the patches, 35. Hardware: two CPU cores.
The last iteration is the result. Result: docs/results.md.
"""

_base_ = [
    '_base_/models/linear_r18.py',
    '_base_/datasets/flair.py',
    '_base_/schedules/linear_small.py',
    '_base_/segmentation.py',
]

model = dict(
    data_preprocessor=dict(size=(128, 128)),
    backbone=dict(init_cfg=dict(checkpoint='work_dirs/false_simclr_r18_flair/backbone.pth')),
    decode_head=dict(num_classes=9),
)
