"""SimCLR pretraining of ResNet-18 on made scenes, the baseline of false_simclr_r18_synthetic.py.

Command: python tools/train.py configs/simclr_r18_synthetic.py
Global batch: 64 images, two views of 64 x 64.
"""

_base_ = [
    '_base_/models/simclr_r18.py',
    '_base_/datasets/unlabelled.py',
    '_base_/schedules/simclr_small.py',
    '_base_/pretraining.py',
]

train_dataloader = dict(
    batch_size=64,
    num_workers=1,
    pin_memory=False,
    dataset=dict(
        data_root='data/synthetic',
        pipeline=[
            dict(type='LoadPatch'),
            dict(
                type='ContrastiveViews',
                size=64,
                crop_scale=(0.2, 0.6),
                vertical_flip_prob=0.5,
                jitter=(0.2, 0.2, 0.2, 0.05),
                grey_prob=0.0,
                blur_prob=0.2,
            ),
            dict(type='PackInputs'),
        ],
    ),
)
