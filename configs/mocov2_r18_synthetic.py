"""MoCo v2 pretraining of ResNet-18 on synthetic scenes, the baseline of false_mocov2_r18_synthetic.py.

Command: python tools/train.py configs/mocov2_r18_synthetic.py
Global batch: 128 images, two views of 32 x 32. Hardware: two CPU cores.
Result: not yet measured.
"""

_base_ = [
    '_base_/models/mocov2_r18.py',
    '_base_/datasets/unlabelled_small.py',
    '_base_/schedules/simclr_small.py',
    '_base_/pretraining.py',
]

train_dataloader = dict(dataset=dict(data_root='data/synthetic'))
