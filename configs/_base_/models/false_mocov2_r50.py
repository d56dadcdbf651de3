"""FALSE on ResNet-50: mocov2_r50.py with another loss in the head.

One key of the queue per query. Temperature 0.2 spreads the cosines, so the gate is below the released 0.9.
"""

_base_ = './mocov2_r50.py'

model = dict(
    head=dict(
        loss=dict(
            type='FALSELoss', confidence_weight=0.9, positive_threshold=0.7, determination=dict(type='anchor_nearest')
        )
    )
)
