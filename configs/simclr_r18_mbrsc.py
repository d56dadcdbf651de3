"""SimCLR pretraining of ResNet-18 on MBRSC aerial imagery of Dubai, the baseline of false_simclr_r18_mbrsc.py.

Both views come from one window of 64 x 64 pixels, at about native scale, so that they show the same land cover.

Command: python tools/train.py configs/simclr_r18_mbrsc.py
Global batch: 128 images, two views of 32 x 32. Hardware: two CPU cores.
Result: docs/results.md.
"""

_base_ = [
    '_base_/models/simclr_r18.py',
    '_base_/datasets/unlabelled.py',
    '_base_/schedules/simclr_small.py',
    '_base_/pretraining.py',
]

model = dict(head=dict(loss=dict(temperature=0.2)))
train_cfg = dict(max_epochs=20)
train_dataloader = dict(
    batch_size=128,
    num_workers=1,
    pin_memory=False,
    dataset=dict(
        data_root='data/mbrsc',
        pipeline=[
            dict(type='LoadPatch'),
            dict(
                type='ContrastiveViews',
                size=32,
                window=64,
                crop_scale=(0.2, 0.6),
                vertical_flip_prob=0.5,
                jitter=(0.4, 0.4, 0.4, 0.1),
                grey_prob=0.1,
                blur_prob=0.2,
            ),
            dict(type='PackInputs'),
        ],
    ),
)
