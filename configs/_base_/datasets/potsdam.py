"""Potsdam: 6 classes, 256 x 256 patches, as the converter leaves them in data/potsdam."""

_base_ = './labelled.py'

train_dataloader = dict(dataset=dict(palette='potsdam', data_root='data/potsdam'))
test_dataloader = dict(dataset=dict(palette='potsdam', data_root='data/potsdam'))
val_dataloader = test_dataloader
