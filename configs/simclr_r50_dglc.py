"""SimCLR pretraining of ResNet-50 on DGLC (DeepGlobe Land Cover), the baseline of false_simclr_r50_dglc.py.

Command: python tools/train.py configs/simclr_r50_dglc.py --amp
Data: data/dglc, splits/pretrain.txt (about 18,250 patches, no labels read).
Global batch: 256 images (512 views) on one process.
Hardware: one GPU, memory not yet measured: by estimate 30 GB, and 55 without --amp; if that is too much, a smaller
batch with --auto-scale-lr.
Result: not yet measured.
"""

_base_ = [
    '_base_/models/simclr_r50.py',
    '_base_/datasets/unlabelled.py',
    '_base_/schedules/simclr_200e.py',
    '_base_/pretraining.py',
]

train_dataloader = dict(dataset=dict(data_root='data/dglc'))
