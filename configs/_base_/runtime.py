"""Runtime of every run: seeded (bit for bit on a CPU) and resumable, with checkpoints that hold data only.

cuDNN tries its algorithms on the first batch, since all batches have one shape; runs on a GPU may differ in the last
bits. `randomness.deterministic=True` takes that back.
"""

runner_type = 'FALSERunner'
default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=50),
    param_scheduler=dict(type='ParamSchedulerHook'),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    start_checks=dict(type='StartChecksHook'),
    channels_last=dict(type='ChannelsLastHook'),
    plain_checkpoint=dict(type='PlainCheckpointHook'),
    exact_resume=dict(type='ExactResumeHook'),
    resume_check=dict(type='ResumeCheckHook'),
    finite_loss=dict(type='FiniteLossHook'),
)
env_cfg = dict(
    cudnn_benchmark=True, mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0), dist_cfg=dict(backend='nccl')
)
vis_backends = [dict(type='LocalVisBackend')]
log_level = 'INFO'
load_from = None
resume = False
randomness = dict(seed=0, deterministic=False)
