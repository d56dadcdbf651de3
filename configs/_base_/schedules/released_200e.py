"""200 epochs of the released recipe: SGD over LARC, 0.6 -> 4.8 in the first tenth, then a cosine with one restart."""

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='LARC', lr=4.8, momentum=0.9, weight_decay=1e-6),
    paramwise_cfg=dict(norm_decay_mult=0),
)
param_scheduler = [dict(type='ReleasedLR', by_epoch=True, convert_to_iter_based=True)]
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=200)
auto_scale_lr = dict(base_batch_size=256)
