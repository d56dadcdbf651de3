"""FALSE pretraining of ResNet-18 on MBRSC aerial imagery of Dubai, MoCo v2 form: mocov2_r18_mbrsc.py with another loss.

Command: python tools/train.py configs/false_mocov2_r18_mbrsc.py
Global batch and hardware: as mocov2_r18_mbrsc.py.
Determination: anchor_nearest, one key of the queue per query, gate and weight as in false_simclr_r18_mbrsc.py.
Result: docs/results.md.
"""

_base_ = './mocov2_r18_mbrsc.py'

model = dict(
    head=dict(
        loss=dict(
            type='FALSELoss', confidence_weight=0.5, positive_threshold=0.7, determination=dict(type='anchor_nearest')
        )
    )
)
