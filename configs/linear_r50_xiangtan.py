"""Linear probe: one 1x1 convolution on a frozen ResNet-50, trained on 1 % of the labels of Xiangtan.

Command: python tools/train.py configs/linear_r50_xiangtan.py
         python tools/test.py configs/linear_r50_xiangtan.py work_dirs/linear_r50_xiangtan/iter_4000.pth
The last stage alone: --cfg-options model.decode_head.in_index=3 model.decode_head.in_channels=2048
Other initialisations: --cfg-options model.backbone.init_cfg.checkpoint=PATH/backbone.pth (or ImageNet weights), or
    --cfg-options model.backbone.init_cfg=None for random weights, which stay random here.
Global batch: 16 on one process. Hardware: one GPU, memory not yet measured.
The last iteration is the result. Result: not yet measured.
"""

_base_ = [
    '_base_/models/linear_r50.py',
    '_base_/datasets/xiangtan.py',
    '_base_/schedules/linear_4k.py',
    '_base_/segmentation.py',
]

model = dict(
    data_preprocessor=dict(size=(256, 256)),
    backbone=dict(init_cfg=dict(checkpoint='work_dirs/false_mocov2_r50_xiangtan/backbone.pth')),
    decode_head=dict(num_classes=9),
)
