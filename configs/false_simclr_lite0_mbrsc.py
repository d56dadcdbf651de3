"""FALSE pretraining of EfficientNet-Lite0 on MBRSC: simclr_lite0_mbrsc.py with another loss in the head.

Command: python tools/train.py configs/false_simclr_lite0_mbrsc.py
Global batch and hardware: as simclr_lite0_mbrsc.py. It starts from ImageNet weights.
Determination: evidence by appearance, as in false_simclr_r18_mbrsc.py.
Result: docs/results.md.
"""

_base_ = './simclr_lite0_mbrsc.py'

model = dict(
    head=dict(
        loss=dict(
            type='FALSELoss',
            confidence_weight=1.0,
            positive_threshold=-1.0,
            determination=dict(type='evidence', overlap=0.8),
        )
    )
)
train_dataloader = dict(dataset=dict(evidence=dict(type='ViewAppearance')))
