"""DGLC (DeepGlobe Land Cover): 6 classes, 512 x 512 patches, as the converter leaves them in data/dglc."""

_base_ = './labelled.py'

train_dataloader = dict(
    dataset=dict(
        palette='dglc',
        data_root='data/dglc',
        pipeline=[
            dict(type='LoadPatch'),
            dict(type='LoadIndexMask'),
            dict(type='RandomResize', scale=(512, 512), ratio_range=(0.5, 2.0), keep_ratio=True),
            dict(type='RandomCrop', crop_size=(512, 512), cat_max_ratio=0.75),
            dict(type='RandomFlip', prob=[0.25, 0.25, 0.25], direction=['horizontal', 'vertical', 'diagonal']),
            dict(type='PhotoMetricDistortion'),
            dict(type='PackSegInputs'),
        ],
    )
)
test_dataloader = dict(dataset=dict(palette='dglc', data_root='data/dglc'))
val_dataloader = test_dataloader
