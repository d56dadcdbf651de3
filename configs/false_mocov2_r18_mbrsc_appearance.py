"""FALSE by appearance on MBRSC, MoCo v2 form: mocov2_r18_mbrsc.py with false_simclr_r18_mbrsc_appearance.py's loss.

Command: python tools/train.py configs/false_mocov2_r18_mbrsc_appearance.py
Global batch and hardware: as mocov2_r18_mbrsc.py.
Determination: evidence, every key of the queue that looks like the query; the queue remembers how its keys looked.
Result: not yet measured.
"""

_base_ = './mocov2_r18_mbrsc.py'

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
train_dataloader = dict(
    dataset=dict(
        pipeline=[
            *_base_.train_dataloader.dataset.pipeline[:2],
            dict(type='ViewAppearance'),
            dict(type='PackInputs', algorithm_keys=['evidence']),
        ]
    )
)
