"""FALSE on ResNet-50: simclr_r50.py with another loss in the head.

The paper's determination with the smallest set of false negatives, one per anchor.
"""

_base_ = './simclr_r50.py'

model = dict(
    head=dict(
        loss=dict(
            type='FALSELoss', confidence_weight=0.9, positive_threshold=0.9, determination=dict(type='anchor_nearest')
        )
    )
)
