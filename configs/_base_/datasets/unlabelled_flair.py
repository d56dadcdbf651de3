"""Unlabelled patches of FLAIR #1 at 0.4 m: two views of 32 x 32 from one window of 80 x 80 pixels (32 m).

A view covers 14 to 25 m of ground, 20 m on average, as 48 pixels do at this scale: a roof and its yard, or some rows of
vines. At 32 pixels it costs less than half of that.
"""

_base_ = './unlabelled_small.py'

train_dataloader = dict(
    dataset=dict(
        data_root='data/flair',
        pipeline=[
            _base_.train_dataloader.dataset.pipeline[0],
            {**_base_.train_dataloader.dataset.pipeline[1], 'window': 80},
            _base_.train_dataloader.dataset.pipeline[2],
        ],
    )
)
