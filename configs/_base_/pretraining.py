"""Runtime of pretraining: counted in epochs; leaves WORK_DIR/backbone.pth for fine-tuning."""

_base_ = './runtime.py'

default_scope = 'mmpretrain'
custom_imports = dict(
    imports=['projects.false.models', 'projects.false.datasets', 'projects.false.engine'], allow_failed_imports=False
)
default_hooks = dict(
    checkpoint=dict(type='SafeCheckpointHook', by_epoch=True, interval=10, max_keep_ckpts=2),
    export_backbone=dict(type='ExportBackboneHook'),
)
visualizer = dict(type='UniversalVisualizer', vis_backends={{_base_.vis_backends}})
