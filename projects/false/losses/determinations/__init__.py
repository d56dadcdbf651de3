"""False-negative self-determination (FNSD): the rules, and the registry that names them for configs."""

from .base import DETERMINATIONS, Determination, build_determination
from .batch_nearest import BatchNearest
from .evidence import Evidence, Oracle
from .nearest import AnchorNearest, Margin, Mutual, TopK
from .released import Released

__all__ = [
    'DETERMINATIONS',
    'AnchorNearest',
    'BatchNearest',
    'Determination',
    'Evidence',
    'Margin',
    'Mutual',
    'Oracle',
    'Released',
    'TopK',
    'build_determination',
]
