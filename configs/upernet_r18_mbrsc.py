"""UPerNet with 64 channels on ResNet-18, fine-tuned on few labels of MBRSC aerial imagery of Dubai, for two CPU cores.

Command: python tools/train.py configs/upernet_r18_mbrsc.py
         python tools/test.py configs/upernet_r18_mbrsc.py work_dirs/upernet_r18_mbrsc/iter_300.pth
"""

_base_ = [
    '_base_/models/upernet_r18.py',
    '_base_/datasets/mbrsc.py',
    '_base_/schedules/upernet_small.py',
    '_base_/segmentation.py',
]

model = dict(
    data_preprocessor=dict(size=(128, 128)),
    backbone=dict(init_cfg=dict(checkpoint='work_dirs/false_simclr_r18_mbrsc/backbone.pth')),
    decode_head=dict(num_classes=5),
    auxiliary_head=dict(num_classes=5),
)
