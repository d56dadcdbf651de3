"""Potsdam with the augmentation of the authors' fine-tuning."""

_base_ = './labelled_paper.py'

train_dataloader = dict(dataset=dict(palette='potsdam', data_root='data/potsdam'))
test_dataloader = dict(dataset=dict(palette='potsdam', data_root='data/potsdam'))
val_dataloader = test_dataloader
