"""What is kept of a training that is done: weights, without what only resuming needs."""

from pathlib import Path

import torch

from projects.false.atomic_write import atomic_write
from projects.false.engine.checkpoints.files import read_checkpoint


def keep_weights_alone(folder: Path) -> None:
    """Take optimizer, schedules and random states out of the checkpoints of a finished run: two thirds of their size.

    Args:
        folder: Work folder of a training that will not be resumed.
    """
    for path in sorted(folder.glob('*.pth')):
        checkpoint = read_checkpoint(path)
        if isinstance(checkpoint, dict) and 'optimizer' in checkpoint:
            kept = {key: checkpoint[key] for key in ('meta', 'state_dict') if key in checkpoint}
            with atomic_write(path) as file:
                torch.save(kept, file)
