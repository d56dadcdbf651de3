"""Does FALSE help? The smallest answer with error bars: synthetic scenes, ResNet-18, two seeds and two label draws.

Command: python tools/run_benchmark.py configs/benchmarks/quickstart.py
Hardware: two CPU cores; 12.5 minutes, or 22 of CPU time in all.
Result: docs/experiments.md; two seeds and two draws show the path, not small differences.
"""

title = 'Quickstart benchmark: synthetic scenes, few labels'
data = dict(
    root='{work}/data',
    prepare=[
        'dataset_converters/synthetic.py {work}/scenes --tiles 100 --val-tiles 4 --test-tiles 10 --seed 1',
        'dataset_converters/color_masks.py {work}/scenes/images {work}/scenes/masks {data} --palette synthetic'
        ' --patch-size 128 --seed 1 --val-list {work}/scenes/val.txt --test-list {work}/scenes/test.txt',
    ],
)
methods = dict(
    random=None,
    simclr=dict(config='configs/simclr_r18_synthetic.py'),
    false=dict(config='configs/false_simclr_r18_synthetic.py'),
)
baseline = 'simclr'
seeds = [1, 2]
draws = [1, 2]
fractions = [0.01]
protocols = dict(upernet=dict(config='configs/upernet_r18_synthetic.py'))
budget = dict(epochs=30, iterations=150)
part = 'test'
