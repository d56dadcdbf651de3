"""SimCLR on EfficientNet-Lite0 of timm, for two CPU cores, from ImageNet weights."""

_base_ = './simclr_r18.py'

model = dict(
    backbone=dict(
        _delete_=True,
        type='TimmBackbone',
        model_name='tf_efficientnet_lite0',
        init_cfg=dict(type='PretrainedBackbone', checkpoint='imagenet://tf_efficientnet_lite0'),
    ),
    neck=dict(in_channels=320),
)
