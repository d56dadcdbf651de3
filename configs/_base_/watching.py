"""Hooks that watch a pretraining, for a list of bases: a probe of the features, and of the embeddings a monitor.

    _base_ = ['./false_simclr_r18_mbrsc.py', './_base_/watching.py']

The probe needs labelled patches where the training data are, docs/watching.md.
"""

custom_hooks = [
    dict(type='CollapseHook', interval=50),
    dict(type='ProbeHook', interval=5, known='splits/train.txt', tested='splits/val.txt', most=500, linear=True),
]
