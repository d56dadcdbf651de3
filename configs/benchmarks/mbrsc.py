"""Does false-negative awareness give better maps from few labels? Real aerial imagery of Dubai, every method alike.

Pretrains and trains on parts 001 to 004, chooses on 005 (--part val), reports on 006 (--part test); docs/results.md has
the commands that make data/mbrsc. Methods `predicted` and `predicted_imagenet` need maps that models of
configs/benchmarks/budget_mbrsc.py predict, each fine-tuned on one of the draws, from random and from ImageNet weights:

    python tools/run_benchmark.py configs/benchmarks/budget_mbrsc.py --methods random lite0 --protocols upernet \\
        --part val --cfg-options fractions=[0.01] seeds=[1]
    W=work_dirs/benchmarks/budget_mbrsc
    for d in 1 2 3 4 5; do
        C="test_dataloader.dataset.data_root=data/mbrsc test_dataloader.dataset.ann_file=splits/train.txt"
        F=$W/finetune/upernet/1pct
        python tools/test.py $W/recipes/finetune_upernet.py $F/random/seed1_draw$d/iter_200.pth \\
            --predictions work_dirs/predicted/draw$d --cfg-options $C
        python tools/test.py $W/recipes/finetune_upernet@lite0.py $F/lite0/seed1_draw$d/iter_200.pth \\
            --predictions work_dirs/predicted_imagenet/draw$d --cfg-options $C
    done

Command: python tools/run_benchmark.py configs/benchmarks/mbrsc.py --methods A --protocols linear --part val
         python tools/run_benchmark.py configs/benchmarks/mbrsc.py --methods A --protocols linear --part test
Hardware: two CPU cores, or one GPU.
Result: docs/results.md.
"""

title = 'MBRSC: land cover of Dubai from few labels'
data = dict(root='data/mbrsc')


def determined(*, recipe='configs/simclr_r18_mbrsc.py', **options):
    """FALSE by a rule that compares projections: gate 0.7, and half of the weight moves."""
    changed = dict(type='FALSELoss', confidence_weight=0.5, positive_threshold=0.7, determination=options)
    return dict(config=recipe, options={'model.head.loss': changed})


def told(**options):
    """The upper bound with changes to its loss."""
    changed = {f'model.head.loss.{name}': value for name, value in options.items()}
    return dict(config='configs/false_simclr_r18_mbrsc_oracle.py', options=changed)


def simclr(**options):
    """SimCLR's recipe with another loss."""
    return dict(config='configs/simclr_r18_mbrsc.py', options={f'model.head.loss.{k}': v for k, v in options.items()})


def predicted(maps):
    """FALSE by the maps that the labelled patches of the draw predict."""
    evidence = dict(type='ViewMaps', folder=f'{maps}/draw{{draw}}', kinds=5)
    options = {f'train_dataloader.dataset.evidence.{name}': value for name, value in evidence.items()}
    return dict(config='configs/false_simclr_r18_mbrsc.py', options=options)


methods = dict(
    random=None,
    simclr=simclr(),
    mocov2=dict(config='configs/mocov2_r18_mbrsc.py'),
    released=determined(type='released'),
    anchor_nearest=determined(type='anchor_nearest'),
    topk=determined(type='topk'),
    appearance=dict(config='configs/false_simclr_r18_mbrsc.py'),
    predicted=predicted('work_dirs/predicted'),
    predicted_imagenet=predicted('work_dirs/predicted_imagenet'),
    oracle=dict(config='configs/false_simclr_r18_mbrsc_oracle.py'),
    batch_nearest=determined(type='batch_nearest'),
    margin=determined(type='margin'),
    mutual=determined(type='mutual'),
    false_mocov2=determined(recipe='configs/mocov2_r18_mbrsc.py', type='anchor_nearest'),
    appearance_mocov2=dict(config='configs/false_mocov2_r18_mbrsc.py'),
    fnc_elimination=simclr(type='FNCLoss', mode='elimination'),
    fnc_attraction=simclr(type='FNCLoss', mode='attraction'),
    eliminate30=simclr(type='FNCLoss', mode='elimination', determination=dict(type='topk', k=30, floor=-1.0)),
    debiased=simclr(type='DebiasedLoss'),
    hard=simclr(type='HardNegativeLoss'),
    oracle_full=told(confidence_weight=1.0),
    oracle_few=told(determination=dict(type='oracle', most=5)),
    oracle_elimination=dict(
        config='configs/false_simclr_r18_mbrsc_oracle.py',
        options={
            'model.head.loss': dict(
                _delete_=True,
                type='FNCLoss',
                mode='elimination',
                temperature=0.2,
                positive_threshold=-1.0,
                determination=dict(type='oracle'),
            )
        },
    ),
)
tiers = dict(
    A=['random', 'simclr', 'mocov2', 'released', 'anchor_nearest', 'topk', 'oracle'],
    B=[
        'batch_nearest', 'margin', 'mutual', 'false_mocov2', 'fnc_elimination', 'fnc_attraction', 'eliminate30',
        'debiased', 'hard',
    ],
    C=['oracle_full', 'oracle_few', 'oracle_elimination'],  # what the upper bound owes its gain to
    E=['appearance', 'appearance_mocov2'],  # by evidence, without labels
    F=['predicted', 'predicted_imagenet'],  # by maps that the labelled patches of the draw predict
)  # fmt: skip
baseline = 'simclr'
seeds = [1, 2, 3]
draws = [1, 2, 3, 4, 5]
fractions = [0.01]
protocols = dict(
    linear=dict(
        config='configs/linear_r18_mbrsc.py',
        options={
            'model.decode_head.in_index': 3,  # deep features alone: shallow ones are good without training, too
            'model.decode_head.in_channels': 512,
            'optim_wrapper.optimizer.lr': 5e-3,
            'train_cfg.max_iters': 100,
        },
    ),
    all_stages=dict(
        config='configs/linear_r18_mbrsc.py',
        options={'optim_wrapper.optimizer.lr': 5e-3, 'train_cfg.max_iters': 100},
    ),
    upernet=dict(config='configs/upernet_r18_mbrsc.py'),
    meanteacher=dict(config='configs/meanteacher_upernet_r18_mbrsc.py'),
)
budget = dict(epochs=10)
part = 'val'
