"""FALSE pretraining of ResNet-18 on MBRSC aerial imagery of Dubai: simclr_r18_mbrsc.py with another loss in the head.

Command: python tools/train.py configs/false_simclr_r18_mbrsc.py
Determination: anchor_nearest.
"""

_base_ = './simclr_r18_mbrsc.py'

model = dict(
    head=dict(
        loss=dict(
            type='FALSELoss', confidence_weight=0.9, positive_threshold=0.9, determination=dict(type='anchor_nearest')
        )
    )
)
