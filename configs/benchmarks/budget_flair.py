"""With so many labelled patches of FLAIR #1, what to start from, what to label, and what to do with the rest?

budget_mbrsc.py on a second data set: 14, 35, 140 and 350 of 700 labelled patches. Pretrains and trains on the pool,
chooses on strips of it (--part val), reports on the test strips (--part test); data/README.md has the command that
makes data/flair.

Command: python tools/run_benchmark.py configs/benchmarks/budget_flair.py --part test
         python tools/run_benchmark.py configs/benchmarks/budget_flair.py --part test --methods lite0 \
             --protocols upernet --cfg-options fractions=[0.2]
Hardware: two CPU cores, or one GPU.
Result: docs/results.md.
"""

_base_ = './budget_mbrsc.py'

title = 'FLAIR #1: the best map from few labels'
data = dict(root='data/flair')
views = {
    'train_dataloader.dataset.pipeline.1.window': 80,
    'train_dataloader.dataset.pipeline.1.crop_scale': (0.2, 1.0),
}
methods = dict(
    simclr=dict(config='configs/simclr_r18_flair.py'),
    mocov2=dict(config='configs/mocov2_r18_flair.py'),
    false=dict(config='configs/false_simclr_r18_flair.py'),
    lite0_simclr=dict(config='configs/simclr_lite0_mbrsc.py', options=views),
    lite0_false=dict(config='configs/false_simclr_lite0_mbrsc.py', options=views),
)
del views
fractions = [0.02, 0.05, 0.2, 0.5]
protocols = dict(
    upernet=dict(config='configs/upernet_r18_flair.py'),
    meanteacher=dict(config='configs/meanteacher_upernet_r18_flair.py'),
)
budget = dict(epochs=40)
