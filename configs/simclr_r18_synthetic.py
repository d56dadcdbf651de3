"""SimCLR pretraining of ResNet-18 on synthetic scenes, the baseline of false_simclr_r18_synthetic.py.

Command: python tools/train.py configs/simclr_r18_synthetic.py
Global batch: 128 images, two views of 32 x 32. Hardware: two CPU cores.
Result: docs/results.md.
"""

_base_ = [
    '_base_/models/simclr_r18.py',
    '_base_/datasets/unlabelled_small.py',
    '_base_/schedules/simclr_small.py',
    '_base_/pretraining.py',
]

model = dict(head=dict(loss=dict(temperature=0.2)))
train_dataloader = dict(dataset=dict(data_root='data/synthetic'))
