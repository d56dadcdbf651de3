"""FALSE by appearance on MBRSC: false_simclr_r18_mbrsc.py, whose false negatives are the views that look alike.

Command: python tools/train.py configs/false_simclr_r18_mbrsc_appearance.py
Global batch and hardware: as simclr_r18_mbrsc.py.
Determination: evidence. Every view whose shares of six clusters of colour and texture overlap those of the anchor by
more than 0.8, without a gate and with its full weight. No label is read.
Result: docs/results.md.
"""

_base_ = './simclr_r18_mbrsc.py'

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
train_dataloader = dict(
    dataset=dict(
        pipeline=[
            *_base_.train_dataloader.dataset.pipeline[:2],
            dict(type='ViewAppearance'),
            dict(type='PackInputs', algorithm_keys=['evidence']),
        ]
    )
)
