"""Unlabelled patches, 32 per process: a global batch of 256 on 8 processes, as MoCo v2 is trained."""

_base_ = './unlabelled.py'

train_dataloader = dict(batch_size=32)
