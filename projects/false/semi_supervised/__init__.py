"""Fine-tuning that also learns from unlabelled patches: a mean teacher labels them for its student.

Needs mmseg, so only the ``meanteacher_*`` configs import it.
"""

from .mean_teacher import MeanTeacher, MeanTeacherPreProcessor
from .mean_teacher_hook import MeanTeacherHook
from .partly_labelled import PartlyLabelledPatches

__all__ = ['MeanTeacher', 'MeanTeacherHook', 'MeanTeacherPreProcessor', 'PartlyLabelledPatches']
