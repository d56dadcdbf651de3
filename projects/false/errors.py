"""Moved to :mod:`projects.false.common.errors`; this name will be removed in the release after 0.1."""

import warnings

from projects.false.common.errors import InputError

__all__ = ['InputError']

warnings.warn(
    'projects.false.errors is deprecated and will be removed in the release after 0.1; '
    'import projects.false.common.errors',
    DeprecationWarning,
    stacklevel=2,
)
