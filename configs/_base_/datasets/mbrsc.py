"""MBRSC aerial imagery of Dubai: 5 classes, 128 x 128 patches, as the converter leaves them in data/mbrsc."""

_base_ = './labelled.py'

train_dataloader = dict(
    batch_size=8,
    num_workers=1,
    pin_memory=False,
    dataset=dict(
        palette='mbrsc',
        data_root='data/mbrsc',
        pipeline=[
            dict(type='LoadPatch'),
            dict(type='LoadIndexMask'),
            dict(type='RandomFlip', prob=[0.25, 0.25, 0.25], direction=['horizontal', 'vertical', 'diagonal']),
            dict(type='PackSegInputs'),
        ],
    ),
)
test_dataloader = dict(num_workers=1, dataset=dict(palette='mbrsc', data_root='data/mbrsc'))
val_dataloader = test_dataloader
