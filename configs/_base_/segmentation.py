"""Runtime of fine-tuning and test: counted in iterations; the last iteration is the result, never the best one."""

_base_ = './runtime.py'

default_scope = 'mmseg'
custom_imports = dict(
    imports=[
        'projects.false.datasets.land_cover',
        'projects.false.datasets',
        'projects.false.evaluation',
        'projects.false.engine',
        'projects.false.models.segmentation',
    ],
    allow_failed_imports=False,
)
default_hooks = dict(
    logger=dict(log_metric_by_epoch=False),
    checkpoint=dict(type='SafeCheckpointHook', by_epoch=False, interval=1000, max_keep_ckpts=2, save_last=True),
)
log_processor = dict(by_epoch=False)
visualizer = dict(type='SegLocalVisualizer', vis_backends={{_base_.vis_backends}})
