"""Linear probe: one 1x1 convolution on a frozen ResNet-18, trained on few labels of MBRSC aerial imagery of Dubai.

Command: python tools/train.py configs/linear_r18_mbrsc.py
         python tools/test.py configs/linear_r18_mbrsc.py work_dirs/linear_r18_mbrsc/iter_400.pth
The last stage alone: --cfg-options model.decode_head.in_index=3 model.decode_head.in_channels=512
Other initialisations: --cfg-options model.backbone.init_cfg.checkpoint=PATH/backbone.pth (or ImageNet weights), or
    --cfg-options model.backbone.init_cfg=None for random weights, which stay random here.
Global batch: 8 on one process. Hardware: two CPU cores.
The last iteration is the result. Result: docs/results.md (the last stage alone, 100 iterations at 5e-3: the protocol
    `linear` of configs/benchmarks/mbrsc.py).
"""

_base_ = [
    '_base_/models/linear_r18.py',
    '_base_/datasets/mbrsc.py',
    '_base_/schedules/linear_small.py',
    '_base_/segmentation.py',
]

model = dict(
    data_preprocessor=dict(size=(128, 128)),
    backbone=dict(init_cfg=dict(checkpoint='work_dirs/false_simclr_r18_mbrsc/backbone.pth')),
    decode_head=dict(num_classes=5),
)
