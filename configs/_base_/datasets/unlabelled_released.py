"""Unlabelled patches in the two views of the released FALSE code: strong colour, crops down to 8 % of the area."""

_base_ = './unlabelled.py'

train_dataloader = dict(
    dataset=dict(
        pipeline=[
            dict(type='LoadPatch'),
            dict(
                type='ContrastiveViews',
                size=224,
                crop_scale=(0.08, 1.0),
                jitter=(0.8, 0.8, 0.8, 0.2),
                color_on='device',
            ),
            dict(type='PackInputs'),
        ]
    )
)
