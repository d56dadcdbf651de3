"""The model of the released FALSE code: linear projection head, released determination, alpha 1, T 0.9."""

_base_ = './simclr_r50.py'

model = dict(
    backbone=dict(zero_init_residual=False),
    neck=dict(relu=False),
    head=dict(
        loss=dict(type='FALSELoss', confidence_weight=1.0, positive_threshold=0.9, determination=dict(type='released'))
    ),
)
