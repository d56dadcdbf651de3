"""From predictions to scores."""

from .land_cover_metric import LandCoverMetric
from .scores import Scores, confusion_matrix, scores

__all__ = ['LandCoverMetric', 'Scores', 'confusion_matrix', 'scores']
