"""UPerNet on ResNet-50, fine-tuned on 1 % of the labels of Xiangtan, from a pretrained backbone.

Command: python tools/train.py configs/upernet_r50_xiangtan.py
         python tools/test.py configs/upernet_r50_xiangtan.py work_dirs/upernet_r50_xiangtan/iter_4000.pth
Other initialisations: --cfg-options model.backbone.init_cfg.checkpoint=PATH/backbone.pth, or
    --cfg-options model.backbone.init_cfg=None for random weights.
Global batch: 16 on one process. Hardware: one GPU, memory not yet measured.
The last iteration is the result. Result: not yet measured.
"""

_base_ = [
    '_base_/models/upernet_r50.py',
    '_base_/datasets/xiangtan.py',
    '_base_/schedules/upernet_4k.py',
    '_base_/segmentation.py',
]

model = dict(
    data_preprocessor=dict(size=(256, 256)),
    backbone=dict(init_cfg=dict(checkpoint='work_dirs/false_mocov2_r50_xiangtan/backbone.pth')),
    decode_head=dict(num_classes=9),
    auxiliary_head=dict(num_classes=9),
)
