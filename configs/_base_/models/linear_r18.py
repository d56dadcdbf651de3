"""Linear probe on a frozen ResNet-18, for two CPU cores."""

_base_ = './linear_r50.py'

model = dict(
    backbone=dict(depth=18),
    decode_head=dict(in_channels=[64, 128, 256, 512], norm_cfg=dict(type='BN')),
)
