"""UPerNet on ResNet-18 with a mean teacher: few labels of synthetic scenes, and its unlabelled patches.

Command: python tools/train.py configs/meanteacher_upernet_r18_synthetic.py
Test: python tools/test.py configs/meanteacher_upernet_r18_synthetic.py \
    work_dirs/meanteacher_upernet_r18_synthetic/iter_400.pth
Everything else is upernet_r18_synthetic.py, which also takes the checkpoint. docs/semi_supervised.md has the method.
Global batch: 8 labelled and 16 unlabelled patches on one process. Hardware: two CPU cores.
A fifth of the labelled patches is kept apart, to see whether the unlabelled ones helped. Result: not yet measured.
"""

_base_ = './upernet_r18_synthetic.py'

custom_imports = dict(imports=[*_base_.custom_imports.imports, 'projects.false.semi_supervised'])
model = dict(type='MeanTeacher', data_preprocessor=dict(type='MeanTeacherPreProcessor'))
train_dataloader = dict(dataset=dict(type='PartlyLabelledPatches'))
custom_hooks = [dict(type='MeanTeacherHook', start=80, ramp=80, momentum=0.01)]
train_cfg = dict(max_iters=400)
