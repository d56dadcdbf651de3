"""FALSE pretraining of ResNet-18 on FLAIR #1: simclr_r18_flair.py with another loss in the head.

Command: python tools/train.py configs/false_simclr_r18_flair.py
Global batch and hardware: as simclr_r18_flair.py.
Determination: anchor_nearest, one false negative per anchor. Temperature 0.2 spreads the cosines, so the gate is
below the released 0.9, and half of the weight moves.
Result: not yet measured.
"""

_base_ = './simclr_r18_flair.py'

model = dict(
    head=dict(
        loss=dict(
            type='FALSELoss', confidence_weight=0.5, positive_threshold=0.7, determination=dict(type='anchor_nearest')
        )
    )
)
