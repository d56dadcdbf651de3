"""Linear probe: one 1x1 convolution on a frozen ResNet-18, trained on few labels of synthetic scenes.

Command: python tools/train.py configs/linear_r18_synthetic.py
         python tools/test.py configs/linear_r18_synthetic.py work_dirs/linear_r18_synthetic/iter_400.pth
The last stage alone: --cfg-options model.decode_head.in_index=3 model.decode_head.in_channels=512
Other initialisations: --cfg-options model.backbone.init_cfg.checkpoint=PATH/backbone.pth (or ImageNet weights), or
    --cfg-options model.backbone.init_cfg=None for random weights, which stay random here.
Global batch: 8 on one process. Hardware: two CPU cores.
The last iteration is the result. Result: not yet measured.
"""

_base_ = [
    '_base_/models/linear_r18.py',
    '_base_/datasets/synthetic.py',
    '_base_/schedules/linear_small.py',
    '_base_/segmentation.py',
]

model = dict(
    data_preprocessor=dict(size=(128, 128)),
    backbone=dict(init_cfg=dict(checkpoint='work_dirs/false_simclr_r18_synthetic/backbone.pth')),
    decode_head=dict(num_classes=7),
)
