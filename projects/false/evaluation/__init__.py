"""From predictions to scores."""

from .confusion import Scores, confusion_matrix, scores
from .land_cover_metric import LandCoverMetric

__all__ = ['LandCoverMetric', 'Scores', 'confusion_matrix', 'scores']
