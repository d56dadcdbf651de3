"""Xiangtan with the augmentation of the authors' fine-tuning."""

_base_ = './labelled_paper.py'

train_dataloader = dict(dataset=dict(palette='xiangtan', data_root='data/xiangtan'))
test_dataloader = dict(dataset=dict(palette='xiangtan', data_root='data/xiangtan'))
val_dataloader = test_dataloader
