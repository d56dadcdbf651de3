"""FALSE by appearance on FLAIR: false_simclr_r18_flair.py, whose false negatives are the views that look alike.

Command: python tools/train.py configs/false_simclr_r18_flair_appearance.py
Global batch and hardware: as simclr_r18_flair.py.
Determination: evidence, as in false_simclr_r18_mbrsc_appearance.py.
Result: not yet measured.
"""

_base_ = './simclr_r18_flair.py'

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
