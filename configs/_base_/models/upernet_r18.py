"""UPerNet with 64 channels on ResNet-18, for two CPU cores."""

_base_ = './upernet_r50.py'

model = dict(
    backbone=dict(depth=18, norm_cfg=dict(type='BN')),
    decode_head=dict(in_channels=[64, 128, 256, 512], channels=64, norm_cfg=dict(type='BN')),
    auxiliary_head=dict(in_channels=256, channels=64, norm_cfg=dict(type='BN')),
)
