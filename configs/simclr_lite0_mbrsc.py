"""SimCLR pretraining of EfficientNet-Lite0 on MBRSC aerial imagery of Dubai, from ImageNet weights.

It is the baseline of false_simclr_lite0_mbrsc.py. A quarter of simclr_r18_mbrsc.py's learning rate and half of its
length keep what the weights know.
Command: python tools/train.py configs/simclr_lite0_mbrsc.py
Global batch: 128 images, two views of 32 x 32. Hardware: two CPU cores.
Result: docs/results.md.
"""

_base_ = [
    '_base_/models/simclr_lite0.py',
    '_base_/datasets/unlabelled_small.py',
    '_base_/schedules/simclr_small.py',
    '_base_/pretraining.py',
]

model = dict(head=dict(loss=dict(temperature=0.2)))
train_dataloader = dict(dataset=dict(data_root='data/mbrsc'))
optim_wrapper = dict(optimizer=dict(lr=5e-4))
train_cfg = dict(max_epochs=10)
