"""Xiangtan: 9 classes, 256 x 256 patches, as the converter leaves them in data/xiangtan."""

_base_ = './labelled.py'

train_dataloader = dict(dataset=dict(palette='xiangtan', data_root='data/xiangtan'))
test_dataloader = dict(dataset=dict(palette='xiangtan', data_root='data/xiangtan'))
val_dataloader = test_dataloader
