"""FALSE pretraining of ResNet-18 on synthetic scenes, MoCo v2 form: mocov2_r18_synthetic.py with another loss.

Command: python tools/train.py configs/false_mocov2_r18_synthetic.py
Global batch and hardware: as mocov2_r18_synthetic.py.
Determination: evidence by appearance as in false_simclr_r18_synthetic.py; the queue remembers how its keys looked.
Result: not yet measured.
"""

_base_ = './mocov2_r18_synthetic.py'

model = dict(
    queue_kinds=6,  # clusters in appearance.json
    head=dict(
        loss=dict(
            type='FALSELoss',
            confidence_weight=1.0,
            positive_threshold=-1.0,
            determination=dict(type='evidence', overlap=0.8),
        )
    ),
)
train_dataloader = dict(dataset=dict(evidence=dict(type='ViewAppearance')))
