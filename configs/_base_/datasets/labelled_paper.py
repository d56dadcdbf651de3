"""Labelled patches with the augmentation of the authors' fine-tuning: flips are horizontal only.

A recipe sets `palette` and `data_root`, and the scale where patches are not 256 pixels wide; the crop stays 256.
"""

_base_ = './labelled.py'

train_dataloader = dict(
    dataset=dict(
        pipeline=[
            dict(type='LoadPatch'),
            dict(type='LoadIndexMask'),
            dict(type='RandomResize', scale=(256, 256), ratio_range=(0.5, 2.0), keep_ratio=True),
            dict(type='RandomCrop', crop_size=(256, 256), cat_max_ratio=0.75),
            dict(type='RandomFlip', prob=0.5),
            dict(type='PhotoMetricDistortion'),
            dict(type='PackSegInputs'),
        ],
    ),
)
