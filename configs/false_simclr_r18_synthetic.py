"""FALSE pretraining of ResNet-18 on synthetic scenes: simclr_r18_synthetic.py with another loss in the head.

Command: python tools/train.py configs/false_simclr_r18_synthetic.py
Global batch and hardware: as simclr_r18_synthetic.py.
Determination: evidence by appearance, every view whose shares of six clusters of colour and texture overlap those of
the anchor by more than 0.8, without a gate and with the full weight. It reads no label.
Result: docs/results.md.
"""

_base_ = './simclr_r18_synthetic.py'

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
