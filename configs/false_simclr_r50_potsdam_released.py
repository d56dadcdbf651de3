"""FALSE on Potsdam as the released code trains it.

Released determination (both of its regimes), alpha 1, T 0.9, temperature 0.5, projection head without ReLU, strong
views, SGD over LARC, the released learning rate with its warm restart.

Command: python tools/train.py configs/false_simclr_r50_potsdam_released.py
Global batch: 256 images on one process; the learning rate is not scaled with the number of processes.
Hardware: one GPU, memory not yet measured: by estimate 55 GB, or 30 with --amp, which the release did not use.
Result: not yet measured.
"""

_base_ = [
    '_base_/models/false_released_r50.py',
    '_base_/datasets/unlabelled_released.py',
    '_base_/schedules/released_200e.py',
    '_base_/pretraining.py',
]

train_dataloader = dict(dataset=dict(data_root='data/potsdam'))
