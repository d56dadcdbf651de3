"""MoCo v2 on ResNet-50 (arXiv 2003.04297): momentum encoder, head 2048-2048-128 with ReLU, InfoNCE with a queue.

mmpretrain's recipe with a shorter queue: 65,536 keys are more than any data set here has images.
"""

_base_ = '../pixels.py'

model = dict(
    type='FALSEMoCo',
    queue_len=4096,
    feat_dim=128,
    momentum=0.001,
    data_preprocessor=dict(type='ViewPreprocessor'),
    backbone=dict(type='ResNet', depth=50, norm_cfg=dict(type='BN'), zero_init_residual=False),
    neck=dict(type='FALSENeck', in_channels=2048, hid_channels=2048, out_channels=128),
    head=dict(type='FALSEHead', loss=dict(type='NTXentLoss', temperature=0.2)),
)
