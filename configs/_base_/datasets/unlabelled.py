"""Unlabelled patches in two views with mild colour: in land cover, colour carries the classes.

`packed=True` reads what `tools/pack.py` made; `max_unreadable` images may be skipped, each with a warning.

A recipe sets `data_root`, and sizes where they differ. With `color_on='loader'` the
workers of the loader do the colour steps, too; docs/pipeline.md says when that is faster.
"""

train_dataloader = dict(
    batch_size=256,
    num_workers=8,
    persistent_workers=True,
    pin_memory=True,
    drop_last=True,
    sampler=dict(type='SeededSampler'),
    collate_fn=dict(type='default_collate'),
    dataset=dict(
        type='UnlabelledPatches',
        data_root=None,
        ann_file='splits/pretrain.txt',
        data_prefix=dict(img_path='images'),
        packed=False,
        max_unreadable=0,
        pipeline=[
            dict(type='LoadPatch'),
            dict(
                type='ContrastiveViews',
                size=224,
                crop_scale=(0.2, 1.0),
                vertical_flip_prob=0.5,
                jitter=(0.4, 0.4, 0.4, 0.1),
                color_on='device',
            ),
            dict(type='PackInputs'),
        ],
    ),
)
