"""MoCo v2 pretraining of ResNet-18 on MBRSC aerial imagery of Dubai, the baseline of false_mocov2_r18_mbrsc.py.

Command: python tools/train.py configs/mocov2_r18_mbrsc.py
Global batch: 128 images, two views of 32 x 32. Hardware: two CPU cores.
Result: docs/results.md.
"""

_base_ = [
    '_base_/models/mocov2_r18.py',
    '_base_/datasets/unlabelled_small.py',
    '_base_/schedules/simclr_small.py',
    '_base_/pretraining.py',
]

model = dict(queue_len=640)
train_dataloader = dict(dataset=dict(data_root='data/mbrsc'))
train_cfg = dict(max_epochs=20)
