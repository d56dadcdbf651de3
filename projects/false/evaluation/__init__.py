"""Scores of predictions: confusion matrix, mIoU and its relatives, and the evaluation of a checkpoint."""

from .land_cover_metric import LandCoverMetric
from .scores import Scores, confusion_matrix, scores

__all__ = ['LandCoverMetric', 'Scores', 'confusion_matrix', 'scores']
