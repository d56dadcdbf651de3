"""An upper bound, not a method: false_simclr_r18_flair.py that is told by labels which negatives are false.

Command: python tools/train.py configs/false_simclr_r18_flair_oracle.py
Global batch and hardware: as simclr_r18_flair.py.
Determination: oracle, every view whose label histogram overlaps that of the anchor by more than 0.8. It looks at the
masks of all patches, so its result bounds what a method can gain.
Result: docs/results.md.
"""

_base_ = './false_simclr_r18_flair.py'

model = dict(head=dict(loss=dict(confidence_weight=0.5, determination=dict(type='oracle', overlap=0.8, _delete_=True))))
train_dataloader = dict(dataset=dict(evidence=dict(type='ViewLandCover', classes=9)))
