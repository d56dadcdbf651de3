"""An upper bound, not a method: false_simclr_r18_flair.py that is told by labels which negatives are false.

Command: python tools/train.py configs/false_simclr_r18_flair_oracle.py
Global batch and hardware: as simclr_r18_flair.py.
Determination: oracle, every view whose label histogram overlaps that of the anchor by more than 0.8. It looks at the
masks of all patches, so its result bounds what a method can gain.
Result: not yet measured.
"""

_base_ = './false_simclr_r18_flair.py'

model = dict(
    head=dict(loss=dict(positive_threshold=-1.0, determination=dict(type='oracle', overlap=0.8, _delete_=True)))
)
train_dataloader = dict(
    dataset=dict(
        pipeline=[
            *_base_.train_dataloader.dataset.pipeline[:2],
            dict(type='ViewLandCover', classes=9),
            dict(type='PackInputs', algorithm_keys=['land_cover']),
        ]
    )
)
