"""The error of a checkpoint that is not whole."""

from projects.false.errors import InputError


class DamagedCheckpoint(InputError):
    """A file that is incomplete or no checkpoint, where an earlier one may serve."""
