"""Made scenes: 7 classes, 128 x 128 patches, as the converter leaves them in data/synthetic."""

_base_ = './labelled.py'

train_dataloader = dict(
    batch_size=8,
    num_workers=1,
    pin_memory=False,
    dataset=dict(
        palette='synthetic',
        data_root='data/synthetic',
        pipeline=[
            dict(type='LoadPatch'),
            dict(type='LoadIndexMask'),
            dict(type='RandomFlip', prob=[0.25, 0.25, 0.25], direction=['horizontal', 'vertical', 'diagonal']),
            dict(type='PackSegInputs'),
        ],
    ),
)
test_dataloader = dict(num_workers=1, dataset=dict(palette='synthetic', data_root='data/synthetic'))
val_dataloader = test_dataloader
