"""DeepLabV3+ on a frozen ResNet-50, as the authors' code fine-tunes, on 1 % of the labels of Xiangtan.

Command: python tools/train.py configs/deeplabv3plus_r50_xiangtan_paper.py
         python tools/test.py configs/deeplabv3plus_r50_xiangtan_paper.py \
             work_dirs/deeplabv3plus_r50_xiangtan_paper/iter_1300.pth --out scores
Other initialisations: --cfg-options model.backbone.init_cfg.checkpoint=PATH/backbone.pth (or ImageNet weights), or
    --cfg-options model.backbone.init_cfg=None for random weights, which stay random here.
Global batch: 16 on one process. Hardware: one GPU, memory not yet measured.
The last iteration is the result. Result: not yet measured.
"""

_base_ = [
    '_base_/models/deeplabv3plus_r50_paper.py',
    '_base_/datasets/xiangtan_paper.py',
    '_base_/schedules/deeplabv3plus_paper.py',
    '_base_/segmentation.py',
]

model = dict(
    data_preprocessor=dict(size=(256, 256)),
    backbone=dict(init_cfg=dict(checkpoint='work_dirs/false_simclr_r50_xiangtan_released/backbone.pth')),
    decode_head=dict(num_classes=9),
    auxiliary_head=dict(num_classes=9),
)
