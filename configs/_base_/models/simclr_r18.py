"""SimCLR on ResNet-18, for two CPU cores."""

_base_ = './simclr_r50.py'

model = dict(backbone=dict(depth=18, norm_cfg=dict(type='BN')), neck=dict(in_channels=512, hid_channels=512))
