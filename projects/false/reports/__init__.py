"""Pages about finished runs."""

from .quickstart_report import write_report
from .runs import Run

__all__ = ['Run', 'write_report']
