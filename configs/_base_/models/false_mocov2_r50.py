"""FALSE on ResNet-50: mocov2_r50.py with another loss in the head.

The false negatives are the keys that look like the query, all of them and with their full weight. The queue remembers
how its keys looked.
"""

_base_ = './mocov2_r50.py'

model = dict(
    queue_kinds=6,  # clusters in appearance.json
    head=dict(
        loss=dict(
            type='FALSELoss',
            confidence_weight=1.0,
            positive_threshold=-1.0,
            determination=dict(type='evidence', overlap=0.8),
        )
    ),
)
