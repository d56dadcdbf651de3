"""FALSE pretraining of ResNet-50 on DGLC (DeepGlobe Land Cover): simclr_r50_dglc.py with another loss in the head.

Command: python tools/train.py configs/false_simclr_r50_dglc.py
Data, global batch and hardware: as simclr_r50_dglc.py.
Determination: anchor_nearest, the paper's set of false negatives an anchor, at its smallest.
Result: not yet measured.
"""

_base_ = './simclr_r50_dglc.py'

model = dict(
    head=dict(
        loss=dict(
            type='FALSELoss', confidence_weight=0.9, positive_threshold=0.9, determination=dict(type='anchor_nearest')
        )
    )
)
