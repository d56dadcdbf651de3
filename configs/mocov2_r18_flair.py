"""MoCo v2 pretraining of ResNet-18 on FLAIR #1, the baseline of false_mocov2_r18_flair.py.

Command: python tools/train.py configs/mocov2_r18_flair.py
Global batch: 128 images, two views of 32 x 32. Hardware: two CPU cores. 700 patches are 5 steps per epoch.
Result: docs/results.md.
"""

_base_ = [
    '_base_/models/mocov2_r18.py',
    '_base_/datasets/unlabelled_flair.py',
    '_base_/schedules/simclr_small.py',
    '_base_/pretraining.py',
]

model = dict(queue_len=128)  # at most a quarter of the patches
train_cfg = dict(max_epochs=40)
