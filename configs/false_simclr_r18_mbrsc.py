"""FALSE pretraining of ResNet-18 on MBRSC aerial imagery of Dubai: simclr_r18_mbrsc.py with another loss in the head.

Command: python tools/train.py configs/false_simclr_r18_mbrsc.py
Global batch and hardware: as simclr_r18_mbrsc.py.
Determination: anchor_nearest, one false negative per anchor. Temperature 0.2 spreads the cosines, so the gate is
below the released 0.9, and half of the weight moves.
Result: docs/results.md.
"""

_base_ = './simclr_r18_mbrsc.py'

model = dict(
    head=dict(
        loss=dict(
            type='FALSELoss', confidence_weight=0.5, positive_threshold=0.7, determination=dict(type='anchor_nearest')
        )
    )
)
