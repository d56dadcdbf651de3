"""Unlabelled patches for two CPU cores: two views of 32 x 32 from one window of 64 x 64, at about native scale.

One window, so that both views show the same land cover. The loader does the colours: without a GPU that is faster.
`shrink='area'` is what the results of these recipes were measured with. A recipe sets `data_root`.
"""

_base_ = './unlabelled.py'

train_dataloader = dict(
    batch_size=128,
    num_workers=1,
    pin_memory=False,
    dataset=dict(
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
                color_on='loader',
                shrink='area',
            ),
            dict(type='PackInputs'),
        ],
    ),
)
