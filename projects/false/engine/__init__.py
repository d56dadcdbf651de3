"""Hooks, optimizer, schedules and checkpoints. Importing registers them, and makes every checkpoint load a safe one."""

from . import checkpoint_loader, checkpoints
from .autocast_optim_wrapper import AutocastOptimWrapper
from .channels_last_hook import ChannelsLastHook
from .collapse_hook import CollapseHook
from .confidence_schedule_hook import ConfidenceScheduleHook
from .exact_resume_hook import ExactResumeHook
from .export_backbone_hook import ExportBackboneHook
from .finite_loss_hook import FiniteLossHook
from .larc import LARC
from .plain_checkpoint_hook import PlainCheckpointHook
from .pretrained_backbone import PretrainedBackbone
from .probe_hook import ProbeHook
from .released_schedule import ReleasedLR
from .resume_check_hook import ResumeCheckHook
from .runner import FALSERunner
from .safe_checkpoint_hook import SafeCheckpointHook
from .start_checks_hook import StartChecksHook

__all__ = [
    'LARC',
    'AutocastOptimWrapper',
    'ChannelsLastHook',
    'CollapseHook',
    'ConfidenceScheduleHook',
    'ExactResumeHook',
    'ExportBackboneHook',
    'FALSERunner',
    'FiniteLossHook',
    'PlainCheckpointHook',
    'PretrainedBackbone',
    'ProbeHook',
    'ReleasedLR',
    'ResumeCheckHook',
    'SafeCheckpointHook',
    'StartChecksHook',
    'checkpoint_loader',
    'checkpoints',
]
