"""FALSE pretraining of ResNet-18 on FLAIR #1, MoCo v2 form: mocov2_r18_flair.py with another loss.

Command: python tools/train.py configs/false_mocov2_r18_flair.py
Global batch and hardware: as mocov2_r18_flair.py.
Determination: anchor_nearest, one key of the queue per query, gate and weight as in false_simclr_r18_flair.py.
Result: not yet measured.
"""

_base_ = './mocov2_r18_flair.py'

model = dict(
    head=dict(
        loss=dict(
            type='FALSELoss', confidence_weight=0.5, positive_threshold=0.7, determination=dict(type='anchor_nearest')
        )
    )
)
