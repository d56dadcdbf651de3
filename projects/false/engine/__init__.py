"""Runner, hooks, optimizer, schedules and checkpoints.

Importing this package registers them and the hooks of ``monitoring`` with MMEngine, and makes loading checkpoints
safe.
"""

from projects.false.monitoring.collapse_hook import CollapseHook
from projects.false.monitoring.probe_hook import ProbeHook

from .checkpoints.mmengine_loader import register_safe_loaders
from .checkpoints.plain_hook import PlainCheckpointHook
from .checkpoints.safe_hook import SafeCheckpointHook
from .confidence_schedule_hook import ConfidenceScheduleHook
from .determination_schedule_hook import DeterminationScheduleHook
from .finite_loss_hook import FiniteLossHook
from .precision import AutocastOptimWrapper, ChannelsLastHook
from .released_optim import LARC, ReleasedLR
from .resume.check_hook import ResumeCheckHook
from .resume.exact_hook import ExactResumeHook
from .runner import FALSERunner
from .start_checks_hook import StartChecksHook
from .weights.backbone import ExportBackboneHook
from .weights.pretrained_backbone import PretrainedBackbone

__all__ = [
    'LARC',
    'AutocastOptimWrapper',
    'ChannelsLastHook',
    'CollapseHook',
    'ConfidenceScheduleHook',
    'DeterminationScheduleHook',
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
    'register_safe_loaders',
]

register_safe_loaders()  # for the whole process: OpenMMLab's tools import this package by custom_imports
