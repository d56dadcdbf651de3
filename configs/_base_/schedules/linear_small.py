"""A linear probe for two CPU cores, evaluated once, at the end; train_cfg.max_iters alone sets the length."""

optim_wrapper = dict(type='AutocastOptimWrapper', optimizer=dict(type='AdamW', lr=1e-3, weight_decay=1e-2))
param_scheduler = [dict(type='PolyLR', eta_min=1e-6, power=0.9, by_epoch=False)]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=400, val_interval=10**9)  # the last iteration is always validated
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
auto_scale_lr = dict(base_batch_size=8)
