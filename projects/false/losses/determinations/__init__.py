"""False-negative self-determination (FNSD): one rule per file, and the registry that names them for configs."""

from .anchor_nearest import AnchorNearest
from .base import DETERMINATIONS, Determination, build_determination
from .batch_nearest import BatchNearest
from .evidence import Evidence, Oracle
from .margin import Margin
from .mutual import Mutual
from .released import Released
from .topk import TopK

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
