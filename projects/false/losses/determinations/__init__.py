"""False-negative self-determination (FNSD): one rule per file, and the registry that names them for configs."""

from .anchor_nearest import AnchorNearest
from .base import DETERMINATIONS, Determination, build_determination
from .batch_nearest import BatchNearest
from .combined import AllOf, AnyOf, InTurn
from .evidence import Evidence, Oracle
from .margin import Margin
from .mutual import Mutual
from .nearest_features import NearestFeatures
from .place import OtherPlace, Place
from .released import Released
from .topk import TopK

__all__ = [
    'DETERMINATIONS',
    'AllOf',
    'AnchorNearest',
    'AnyOf',
    'BatchNearest',
    'Determination',
    'Evidence',
    'InTurn',
    'Margin',
    'Mutual',
    'NearestFeatures',
    'Oracle',
    'OtherPlace',
    'Place',
    'Released',
    'TopK',
    'build_determination',
]
