"""Synthetic scenes: 7 classes, 128 x 128 patches, as the converter leaves them in data/synthetic."""

_base_ = './labelled_small.py'

train_dataloader = dict(dataset=dict(palette='synthetic', data_root='data/synthetic'))
test_dataloader = dict(dataset=dict(palette='synthetic', data_root='data/synthetic'))
val_dataloader = dict(num_workers=1, dataset=dict(palette='synthetic', data_root='data/synthetic'))
