"""Labelled patches: about 1 % of the labels to train on, the whole test list to report on.

Validation runs once, after the last iteration, on the test list. To choose settings:
`val_dataloader.dataset.ann_file=splits/val.txt`.

`packed=True` reads what `tools/pack.py` made; `max_unreadable` patches may be skipped, each with a warning.

A recipe sets `palette` and `data_root`, and the crop where it differs.
"""

train_dataloader = dict(
    batch_size=16,
    num_workers=4,
    persistent_workers=True,
    pin_memory=True,
    sampler=dict(type='SeededSampler', infinite=True),
    dataset=dict(
        type='LandCoverPatches',
        palette=None,
        data_root=None,
        ann_file='splits/train_1pct.txt',
        packed=False,
        max_unreadable=0,
        pipeline=[
            dict(type='LoadPatch'),
            dict(type='LoadIndexMask'),
            dict(type='RandomResize', scale=(256, 256), ratio_range=(0.5, 2.0), keep_ratio=True),
            dict(type='RandomCrop', crop_size=(256, 256), cat_max_ratio=0.75),
            dict(type='RandomFlip', prob=[0.25, 0.25, 0.25], direction=['horizontal', 'vertical', 'diagonal']),
            dict(type='PhotoMetricDistortion'),
            dict(type='PackSegInputs'),
        ],
    ),
)
test_dataloader = dict(
    batch_size=16,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='LandCoverPatches',
        palette=None,
        data_root=None,
        ann_file='splits/test.txt',
        packed=False,
        pipeline=[dict(type='LoadPatch'), dict(type='LoadIndexMask'), dict(type='PackSegInputs')],
    ),
)
val_dataloader = test_dataloader
val_evaluator = dict(type='LandCoverMetric')
test_evaluator = val_evaluator
