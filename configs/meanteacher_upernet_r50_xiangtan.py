"""UPerNet on ResNet-50 with a mean teacher: few labels of Xiangtan, and its unlabelled patches.

Command: python tools/train.py configs/meanteacher_upernet_r50_xiangtan.py
Test: python tools/test.py configs/meanteacher_upernet_r50_xiangtan.py \
    work_dirs/meanteacher_upernet_r50_xiangtan/iter_4000.pth
Everything else is upernet_r50_xiangtan.py, which also takes the checkpoint. docs/semi_supervised.md has the method.
Global batch: 16 labelled and 32 unlabelled patches on one process. Hardware: one GPU, memory not yet measured.
A fifth of the labelled patches is kept apart, to see whether the unlabelled ones helped. Result: not yet measured.
"""

_base_ = './upernet_r50_xiangtan.py'

custom_imports = dict(imports=[*_base_.custom_imports.imports, 'projects.false.semi_supervised'])
model = dict(type='MeanTeacher', data_preprocessor=dict(type='MeanTeacherPreProcessor'))
train_dataloader = dict(dataset=dict(type='PartlyLabelledPatches', view_size=256))
custom_hooks = [dict(type='MeanTeacherHook', start=1000, ramp=1000, momentum=0.001)]
