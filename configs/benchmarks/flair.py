"""Does pretraining give better maps from few labels, on a second data set? FLAIR #1 at 0.4 m, every method alike.

Pretrains and trains on the pool, chooses on strips of it (--part val), reports on the test strips (--part test);
data/README.md has the command that makes data/flair.

Command: python tools/run_benchmark.py configs/benchmarks/flair.py --protocols linear --part val
         python tools/run_benchmark.py configs/benchmarks/flair.py --protocols linear --part test
Hardware: two CPU cores, or one GPU.
Result: docs/results.md.
"""

title = 'FLAIR #1: land cover of Hérault from few labels'
data = dict(root='data/flair')
methods = dict(
    random=None,
    simclr=dict(config='configs/simclr_r18_flair.py'),
    mocov2=dict(config='configs/mocov2_r18_flair.py'),
    appearance_mocov2=dict(config='configs/false_mocov2_r18_flair.py'),
    appearance=dict(config='configs/false_simclr_r18_flair.py'),
    oracle=dict(config='configs/false_simclr_r18_flair_oracle.py'),  # an upper bound: it reads all masks
)
baseline = 'simclr'
seeds = [1, 2, 3]
draws = [1, 2, 3, 4, 5]
fractions = [0.02, 0.05, 0.2]  # 14, 35 and 140 of 700 patches; one per cent would not fill a batch of 8
protocols = dict(
    linear=dict(
        config='configs/linear_r18_flair.py',
        options={
            'model.decode_head.in_index': 3,  # deep features alone: shallow ones are good without training, too
            'model.decode_head.in_channels': 512,
            'optim_wrapper.optimizer.lr': 5e-3,
            'train_cfg.max_iters': 100,
        },
    ),
    upernet=dict(config='configs/upernet_r18_flair.py'),
    meanteacher=dict(config='configs/meanteacher_upernet_r18_flair.py'),
)
budget = dict(epochs=40)
part = 'val'
