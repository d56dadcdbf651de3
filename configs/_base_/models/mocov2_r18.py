"""MoCo v2 on ResNet-18, for two CPU cores; the key encoder follows ten times faster, as runs are short."""

_base_ = './mocov2_r50.py'

model = dict(queue_len=256, momentum=0.01, backbone=dict(depth=18), neck=dict(in_channels=512, hid_channels=512))
