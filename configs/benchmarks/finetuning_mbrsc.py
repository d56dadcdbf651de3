"""How to fine-tune on 30 labelled patches: MBRSC, the learning rate of the backbone, and changes of colour and scale.

Pretrains and trains on parts 001 to 004, chooses on 005 (--part val), reports on 006 (--part test); docs/results.md has
the commands that make data/mbrsc.

Command: python tools/run_benchmark.py configs/benchmarks/finetuning_mbrsc.py --methods rates
         python tools/run_benchmark.py configs/benchmarks/finetuning_mbrsc.py --methods changes
Hardware: two CPU cores, or one GPU.
Result: docs/results.md.
"""

title = 'MBRSC: how to fine-tune on few labels'
data = dict(root='data/mbrsc')


def rate(factor):
    """Let the backbone learn at a part of the rate of the heads."""
    return {'optim_wrapper.paramwise_cfg': dict(custom_keys=dict(backbone=dict(lr_mult=factor)))}


def changes(*steps):
    """Change the training patches in these steps."""
    pipeline = [dict(type='LoadPatch'), dict(type='LoadIndexMask'), *steps, dict(type='PackSegInputs')]
    return {'train_dataloader.dataset.pipeline': pipeline}


flip = dict(type='RandomFlip', prob=[0.25, 0.25, 0.25], direction=['horizontal', 'vertical', 'diagonal'])
colour = dict(type='PhotoMetricDistortion')
scale = [
    dict(type='RandomResize', scale=(128, 128), ratio_range=(0.5, 2.0), keep_ratio=True),
    dict(type='RandomCrop', crop_size=(128, 128), cat_max_ratio=0.75),
]
in_colour, in_scale, in_both = changes(flip, colour), changes(*scale, flip), changes(*scale, flip, colour)
lite0 = {
    'model.backbone': dict(
        _delete_=True,
        type='TimmBackbone',
        model_name='tf_efficientnet_lite0',
        init_cfg=dict(type='PretrainedBackbone', checkpoint=None),
    ),
    'model.decode_head.in_channels': [24, 40, 112, 320],
    'model.auxiliary_head.in_channels': 112,
    **rate(0.3),
}
imagenet = 'imagenet://tf_efficientnet_lite0'

methods = dict(
    random=None,
    random_rate03=dict(fine_tuning=rate(0.3)),
    random_rate01=dict(fine_tuning=rate(0.1)),
    simclr=dict(config='configs/simclr_r18_mbrsc.py'),
    simclr_rate03=dict(like='simclr', fine_tuning=rate(0.3)),
    simclr_rate01=dict(like='simclr', fine_tuning=rate(0.1)),
    false=dict(config='configs/false_simclr_r18_mbrsc.py'),
    false_rate03=dict(like='false', fine_tuning=rate(0.3)),
    false_rate01=dict(like='false', fine_tuning=rate(0.1)),
    random_colour=dict(fine_tuning=in_colour),
    random_both=dict(fine_tuning=in_both),
    lite0=dict(weights=imagenet, fine_tuning=lite0),
    lite0_colour=dict(weights=imagenet, fine_tuning={**lite0, **in_colour}),
    lite0_scale=dict(weights=imagenet, fine_tuning={**lite0, **in_scale}),
    lite0_both=dict(weights=imagenet, fine_tuning={**lite0, **in_both}),
)
del flip, colour, scale, in_colour, in_scale, in_both, lite0, imagenet
tiers = dict(
    rates=[
        'random', 'random_rate03', 'random_rate01', 'simclr', 'simclr_rate03', 'simclr_rate01', 'false', 'false_rate03',
        'false_rate01',
    ],
    changes=['random_colour', 'random_both', 'lite0', 'lite0_colour', 'lite0_scale', 'lite0_both'],
)  # fmt: skip
baseline = 'random'
seeds = [1, 2, 3]
draws = [1, 2, 3, 4, 5]
fractions = [0.01]
protocols = dict(upernet=dict(config='configs/upernet_r18_mbrsc.py'))
budget = dict(epochs=10)
part = 'val'
