"""Moved to :mod:`projects.false.common.errors`; this name goes with the release after 0.1."""

from projects.false.common.errors import InputError

__all__ = ['InputError']
