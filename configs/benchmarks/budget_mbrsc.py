"""With so many labelled patches of MBRSC, what to start from, what to label, and what to do with the rest?

Crosses 10, 30, 100 and 300 labelled patches with starts, with ways to choose them, and with and without a mean teacher.
Pretrains and trains on parts 001 to 004, chooses on 005 (--part val), reports on 006 (--part test); docs/results.md has
the commands that make data/mbrsc.

Command: python tools/run_benchmark.py configs/benchmarks/budget_mbrsc.py --part test
         python tools/run_benchmark.py configs/benchmarks/budget_mbrsc.py --part test --methods lite0 \
             --protocols upernet --cfg-options fractions=[0.01]
Hardware: two CPU cores, or one GPU.
Result: docs/results.md.
"""

title = 'MBRSC: the best map from few labels'
data = dict(root='data/mbrsc')

lite0 = {
    'model.backbone': dict(
        _delete_=True,
        type='TimmBackbone',
        model_name='tf_efficientnet_lite0',
        init_cfg=dict(type='PretrainedBackbone', checkpoint=None),
    ),
    'model.decode_head.in_channels': [24, 40, 112, 320],
    'model.auxiliary_head.in_channels': 112,
}
slow = {'optim_wrapper.paramwise_cfg': dict(custom_keys=dict(backbone=dict(lr_mult=0.3)))}  # for weights that know much
imagenet = 'imagenet://tf_efficientnet_lite0'

methods = dict(
    random=None,
    simclr=dict(config='configs/simclr_r18_mbrsc.py'),
    mocov2=dict(config='configs/mocov2_r18_mbrsc.py'),
    false=dict(config='configs/false_simclr_r18_mbrsc.py'),
    false_typical=dict(like='false', select='typical'),
    false_coverage=dict(like='false', select='coverage'),
    lite0_random=dict(fine_tuning=lite0),
    lite0=dict(weights=imagenet, fine_tuning={**lite0, **slow}),
    lite0_typical=dict(weights=imagenet, fine_tuning={**lite0, **slow}, select='typical'),
    lite0_coverage=dict(weights=imagenet, fine_tuning={**lite0, **slow}, select='coverage'),
    lite0_simclr=dict(config='configs/simclr_lite0_mbrsc.py', fine_tuning={**lite0, **slow}),
    lite0_false=dict(config='configs/false_simclr_lite0_mbrsc.py', fine_tuning={**lite0, **slow}),
)
del lite0, slow, imagenet
tiers = dict(
    starts=['random', 'simclr', 'mocov2', 'false', 'lite0_random', 'lite0', 'lite0_simclr', 'lite0_false'],
    choices=['false_typical', 'false_coverage', 'lite0_typical', 'lite0_coverage'],
)
baseline = 'random'
seeds = [1, 2, 3]
draws = [1, 2, 3, 4, 5]
fractions = [0.0033, 0.01, 0.0333, 0.1]  # 10, 30, 100 and 300 of 3,000 patches
protocols = dict(
    upernet=dict(config='configs/upernet_r18_mbrsc.py'),
    meanteacher=dict(config='configs/meanteacher_upernet_r18_mbrsc.py'),
)
budget = dict(epochs=10)
part = 'test'
