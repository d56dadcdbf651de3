"""What of evidence by appearance matters? MBRSC, one thing changed at a time, with the controls.

Pretrains and trains on parts 001 to 004, tests on 005; four methods were also read once on 006. Four methods need files
that these commands make:

    python tools/fit_appearance.py data/mbrsc
    python tools/fit_appearance.py data/mbrsc --clusters 3 --out work_dirs/appearance_3.json
    python tools/fit_appearance.py data/mbrsc --clusters 12 --out work_dirs/appearance_12.json
    python tools/analysis_tools/map_appearance.py data/mbrsc --shuffled 0 --out work_dirs/shuffled_mbrsc
    python tools/cluster_features.py configs/false_simclr_lite0_mbrsc.py data/mbrsc --stage 1 \\
        --out work_dirs/imagenet_maps_mbrsc

Command: python tools/run_benchmark.py configs/benchmarks/ablation_mbrsc.py
Hardware: two CPU cores, or one GPU.
Result: docs/results.md.
"""

title = 'MBRSC: what of evidence by appearance matters'
data = dict(root='data/mbrsc')


def changed(**options):
    """FALSE by appearance with changes to its loss."""
    return dict(
        config='configs/false_simclr_r18_mbrsc.py',
        options={f'model.head.loss.{name}': value for name, value in options.items()},
    )


def seen(**evidence):
    """FALSE by appearance with other evidence."""
    return dict(
        config='configs/false_simclr_r18_mbrsc.py',
        options={f'train_dataloader.dataset.evidence.{name}': value for name, value in evidence.items()},
    )


def uncoloured(recipe):
    """A recipe whose views keep their colours."""
    views = 'train_dataloader.dataset.pipeline.1'
    return dict(config=recipe, options={f'{views}.jitter': (0.0, 0.0, 0.0, 0.0), f'{views}.grey_prob': 0.0})


methods = dict(
    random=None,
    simclr=dict(config='configs/simclr_r18_mbrsc.py'),
    appearance=changed(),  # 6 clusters, overlap 0.8, alpha 1, no gate
    shuffled=seen(type='ViewMaps', folder='work_dirs/shuffled_mbrsc'),  # a control: the evidence of another patch
    simclr_uncoloured=uncoloured('configs/simclr_r18_mbrsc.py'),  # a control: is the gain what the jitter takes?
    appearance_uncoloured=uncoloured('configs/false_simclr_r18_mbrsc.py'),
    teacher=seen(type='ViewMaps', folder='work_dirs/imagenet_maps_mbrsc'),  # 12 of ImageNet features: see clusters12
    clusters3=seen(file='work_dirs/appearance_3.json'),
    clusters12=seen(file='work_dirs/appearance_12.json'),
    overlap06=changed(determination=dict(type='evidence', overlap=0.6)),
    overlap07=changed(determination=dict(type='evidence', overlap=0.7)),
    overlap09=changed(determination=dict(type='evidence', overlap=0.9)),
    alpha05=changed(confidence_weight=0.5),
    gate07=changed(positive_threshold=0.7),
    graded=changed(determination=dict(type='evidence', overlap=0.8, graded=True)),
    most5=changed(determination=dict(type='evidence', overlap=0.8, most=5)),
    elimination=dict(
        config='configs/false_simclr_r18_mbrsc.py',
        options={
            'model.head.loss': dict(
                _delete_=True,
                type='FNCLoss',
                mode='elimination',
                temperature=0.2,
                determination=dict(type='evidence', overlap=0.8),
            )
        },
    ),
)
tiers = dict(
    controls=['appearance', 'shuffled', 'simclr_uncoloured', 'appearance_uncoloured'],
    evidence=['teacher', 'clusters3', 'clusters12', 'overlap06', 'overlap07', 'overlap09'],
    weight=['alpha05', 'gate07', 'graded', 'most5', 'elimination'],
)
baseline = 'simclr'
seeds = [1, 2, 3]
draws = [1, 2, 3, 4, 5]
fractions = [0.01]
protocols = dict(
    linear=dict(
        config='configs/linear_r18_mbrsc.py',
        options={
            'model.decode_head.in_index': 3,  # as in configs/benchmarks/mbrsc.py
            'model.decode_head.in_channels': 512,
            'optim_wrapper.optimizer.lr': 5e-3,
            'train_cfg.max_iters': 100,
        },
    ),
)
budget = dict(epochs=10)
part = 'val'
