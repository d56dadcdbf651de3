"""SimCLR pretraining of ResNet-50 on Xiangtan, the baseline of false_simclr_r50_xiangtan.py.

Command: python tools/train.py configs/simclr_r50_xiangtan.py --amp
Data: data/xiangtan, splits/pretrain.txt (no labels read; the paper used 16,051 patches).
Global batch: 256 images (512 views) on one process.
Hardware: one GPU, memory not yet measured: by estimate 30 GB, and 55 without --amp; if that is too much, a smaller
batch with --auto-scale-lr.
Result: not yet measured.
"""

_base_ = [
    '_base_/models/simclr_r50.py',
    '_base_/datasets/unlabelled.py',
    '_base_/schedules/simclr_200e.py',
    '_base_/pretraining.py',
]

train_dataloader = dict(dataset=dict(data_root='data/xiangtan'))
