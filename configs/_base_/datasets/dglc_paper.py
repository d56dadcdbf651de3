"""DGLC with the augmentation of the authors' fine-tuning: crops of 256 from patches of 512."""

_base_ = './labelled_paper.py'

train_dataloader = dict(
    dataset=dict(
        palette='dglc',
        data_root='data/dglc',
        pipeline=[
            dict(type='LoadPatch'),
            dict(type='LoadIndexMask'),
            dict(type='RandomResize', scale=(512, 512), ratio_range=(0.5, 2.0), keep_ratio=True),
            dict(type='RandomCrop', crop_size=(256, 256), cat_max_ratio=0.75),
            dict(type='RandomFlip', prob=0.5),
            dict(type='PhotoMetricDistortion'),
            dict(type='PackSegInputs'),
        ],
    )
)
test_dataloader = dict(dataset=dict(palette='dglc', data_root='data/dglc'))
val_dataloader = test_dataloader
