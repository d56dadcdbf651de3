"""The files of SafeCheckpointHook, as MMEngine sees them when it saves and removes checkpoints."""

from pathlib import Path

from mmengine.fileio import LocalBackend, register_backend

from .checkpoints.files import write_checkpoint_bytes


@register_backend('VerifiedBackend')
class VerifiedBackend(LocalBackend):
    """Local files: a checkpoint is written whole and verified or not at all, and removing one waits.

    ``outdated`` lists what was to be removed; the hook does that once the successor is safe.
    """

    def __init__(self) -> None:
        self.outdated: list[str] = []

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write a checkpoint beside its place, verify it there and only then give it its name."""
        write_checkpoint_bytes(obj, filepath)

    def remove(self, filepath: str | Path) -> None:
        """Note a file that is in the way."""
        self.outdated.append(str(filepath))
