"""1,300 iterations of SGD with polynomial decay, as the authors' code had them; evaluated once, at the end."""

optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=5e-4))
param_scheduler = [dict(type='PolyLR', eta_min=1e-4, power=0.9, by_epoch=False)]
train_cfg = dict(
    type='IterBasedTrainLoop', max_iters=1300, val_interval=10**9
)  # the last iteration is always validated
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
auto_scale_lr = dict(base_batch_size=16)
