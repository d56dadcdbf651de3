"""Hooks that monitor a pretraining, to be added to a list of bases: a collapse monitor and a probe of the features.

    _base_ = ['./false_simclr_r18_mbrsc.py', './_base_/watching.py']

The probe needs labelled patches in the data root of the training; see docs/watching.md.
"""

custom_hooks = [
    dict(type='CollapseHook', interval=50),
    dict(type='ProbeHook', interval=5, known='splits/train.txt', tested='splits/val.txt', most=500, linear=True),
]
