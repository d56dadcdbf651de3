"""FALSE on ResNet-50: simclr_r50.py with another loss in the head.

The false negatives are the views that look alike, all of them and with their full weight.
"""

_base_ = './simclr_r50.py'

model = dict(
    head=dict(
        loss=dict(
            type='FALSELoss',
            confidence_weight=1.0,
            positive_threshold=-1.0,
            determination=dict(type='evidence', overlap=0.8),
        )
    )
)
