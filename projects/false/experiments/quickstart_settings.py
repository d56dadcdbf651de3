"""Settings of the quickstart, and the work folder that belongs to them.

This module imports nothing heavy, as tools/quickstart.py builds its options from the settings.
"""

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path

from projects.false.common.errors import InputError
from projects.false.common.files import writable

_PATCHES_PER_SCENE = 16  # of 128 x 128 in 512 x 512 pixels
_BATCH = 128  # patches per batch of the pretraining recipes


@dataclass(frozen=True)
class Settings:
    """Size of the quickstart.

    Attributes:
        seed: Seed of scenes, label draw, pretraining and fine-tuning, at least 0.
        tiles: Number of 512 x 512 scenes, those for validation and test included; the others, at least eight, fill a
            batch of pretraining.
        val_tiles: Number of scenes for validation, at least 1.
        test_tiles: Number of scenes for the test, at least 1.
        epochs: Epochs of pretraining, at least 1.
        iterations: Iterations of fine-tuning, at least 1.
        label_fraction: Share of the training patches whose labels are used, in (0, 1].

    Raises:
        InputError: A value is out of range.
    """

    seed: int = 1
    tiles: int = 100
    val_tiles: int = 4
    test_tiles: int = 10
    epochs: int = 50
    iterations: int = 200
    label_fraction: float = 0.01

    def __post_init__(self) -> None:
        """Refuse values with which a later step would fail."""
        for name, least in (('seed', 0), ('val_tiles', 1), ('test_tiles', 1), ('epochs', 1), ('iterations', 1)):
            value = getattr(self, name)
            if value < least:
                raise InputError(f'--{name.replace("_", "-")} is {value}; give at least {least}')
        if not 0 < self.label_fraction <= 1:
            raise InputError(f'--label-fraction is {self.label_fraction}; give a share above 0, at most 1')
        least = self.val_tiles + self.test_tiles + math.ceil(_BATCH / _PATCHES_PER_SCENE)
        if self.tiles < least:
            raise InputError(
                f'--tiles is {self.tiles}, too few to train on beside {self.val_tiles} for validation and '
                f'{self.test_tiles} for the test; give at least {least}'
            )

    @property
    def percent(self) -> str:
        """Return the labelled share in percent, as in the names of lists of patches, such as ``1``."""
        return f'{100 * self.label_fraction:g}'

    @property
    def labelled(self) -> int:
        """Return the number of labelled patches."""
        training = _PATCHES_PER_SCENE * (self.tiles - self.val_tiles - self.test_tiles)
        return max(1, round(self.label_fraction * training))


def claim(folder: Path, settings: Settings) -> None:
    """Reserve a folder for these settings, so that an interrupted run resumes there and no other is mixed in.

    As long as no step is done there, other settings may take the folder over.

    Raises:
        InputError: The folder holds a run with other settings or other files, or cannot be written.
    """
    stored = folder / 'settings.json'
    if stored.is_file():
        try:
            before = json.loads(stored.read_text())
        except ValueError as error:
            raise InputError(f'{stored}: is damaged; remove {folder} or choose another --work-dir') from error
        if before == asdict(settings):
            return
        if any((folder / 'logs').glob('*.done')):
            raise InputError(f'{folder}: holds a run with other settings ({before}); choose another --work-dir')
    elif folder.is_dir() and any(folder.iterdir()):
        raise InputError(f'{folder}: is not empty and holds no quickstart; choose another --work-dir')
    with writable(folder, 'choose another --work-dir'):
        folder.mkdir(parents=True, exist_ok=True)
        stored.write_text(json.dumps(asdict(settings)))
