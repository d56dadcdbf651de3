"""SimCLR on ResNet-50: one encoder, two linear layers with ReLU between, NT-Xent (arXiv 2002.05709)."""

_base_ = '../pixels.py'

model = dict(
    type='FALSE',
    data_preprocessor=dict(type='ViewPreprocessor'),
    backbone=dict(type='ResNet', depth=50, norm_cfg=dict(type='SyncBN'), zero_init_residual=True),
    neck=dict(type='FALSENeck', in_channels=2048, hid_channels=2048, out_channels=128),
    head=dict(type='FALSEHead', loss=dict(type='NTXentLoss', temperature=0.5)),
)
