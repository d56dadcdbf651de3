"""FALSE pretraining of ResNet-50 on Potsdam: simclr_r50_potsdam.py with another loss in the head.

Command: python tools/train.py configs/false_simclr_r50_potsdam.py
Data, global batch and hardware: as simclr_r50_potsdam.py.
Determination: anchor_nearest, the paper's set of false negatives an anchor, at its smallest.
Result: not yet measured.
"""

_base_ = './simclr_r50_potsdam.py'

model = dict(
    head=dict(
        loss=dict(
            type='FALSELoss', confidence_weight=0.9, positive_threshold=0.9, determination=dict(type='anchor_nearest')
        )
    )
)
