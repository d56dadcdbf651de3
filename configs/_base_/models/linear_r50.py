"""Linear probe: one 1x1 convolution over the four stages of a frozen ResNet-50; num_classes is set by the data set.

Frozen is all of the backbone: weights, and the running statistics of its normalisation.
"""

_base_ = '../pixels.py'

model = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(type='SegDataPreProcessor', pad_val=0, seg_pad_val=255),
    backbone=dict(
        type='ResNet',
        depth=50,
        frozen_stages=4,
        norm_eval=True,
        norm_cfg=dict(type='BN'),
        init_cfg=dict(type='PretrainedBackbone', checkpoint=None),
    ),
    decode_head=dict(
        type='LinearSegmentationHead',
        in_channels=[256, 512, 1024, 2048],
        in_index=[0, 1, 2, 3],
        num_classes=None,
        norm_cfg=dict(type='SyncBN'),
        align_corners=False,
        loss_decode=dict(type='CrossEntropyLoss', use_sigmoid=False, loss_weight=1.0, avg_non_ignore=True),
    ),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'),
)
