"""FALSE pretraining of ResNet-18 on made scenes: simclr_r18_synthetic.py with another loss in the head.

Command: python tools/train.py configs/false_simclr_r18_synthetic.py
Determination: anchor_nearest.
"""

_base_ = './simclr_r18_synthetic.py'

model = dict(
    head=dict(
        loss=dict(
            type='FALSELoss', confidence_weight=0.9, positive_threshold=0.9, determination=dict(type='anchor_nearest')
        )
    )
)
