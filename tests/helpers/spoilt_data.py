"""A small converted data set to spoil."""

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest


class Spoilt:
    """A copy of converted patches, with ways to spoil it."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def names(self, split: str) -> list[str]:
        return (self.root / 'splits' / f'{split}.txt').read_text().split()

    def list(self, split: str, names: list[str]) -> None:
        (self.root / 'splits' / f'{split}.txt').write_text('\n'.join(names))

    def path(self, kind: str, name: str) -> Path:
        return self.root / kind / f'{name}.png'

    def read(self, kind: str, name: str) -> np.ndarray:
        return cv2.imread(str(self.path(kind, name)), cv2.IMREAD_UNCHANGED)

    def write(self, kind: str, name: str, pixels: np.ndarray) -> None:
        cv2.imwrite(str(self.path(kind, name)), np.ascontiguousarray(pixels))


@pytest.fixture
def spoilt(patches, tmp_path):
    """Eight sound patches of 64 x 64 pixels, four for training and four for testing."""
    root = tmp_path / 'data'
    shutil.copytree(patches('mbrsc', 64), root)
    return Spoilt(root)
