"""Planted duplicates that the label audit finds, and its false findings.

    python -m benchmarks.near_duplicates data/mbrsc
    python -m benchmarks.near_duplicates data/synthetic --patches 100

Patches for testing are changed and looked for: counted are those that the code proposes and those that the details
confirm. Unchanged, they are compared with the patches for training; where the two splits share no ground, every finding
is false.
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from projects.false.imagery.images import read_image
from projects.false.label_audit.patch_checks import SAME_PLACE
from projects.false.label_audit.similar_pictures import (
    RADIUS,
    grey_of_bands,
    nearest_codes,
    orientation_codes,
    shared_detail,
)
from projects.false.patch_folder.lists import read_list


def _jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    code = cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return cv2.imdecode(code, cv2.IMREAD_COLOR)


def _noisy(image: np.ndarray) -> np.ndarray:
    noise = np.random.default_rng(0).normal(0, 5, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def _smaller(image: np.ndarray, share: float) -> np.ndarray:
    return cv2.resize(image, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)


def _cropped(image: np.ndarray) -> np.ndarray:
    edge = round(0.025 * len(image))
    return image[edge:-edge, edge:-edge]


CHANGES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    'JPEG, quality 80': lambda image: _jpeg(image, 80),
    'JPEG, quality 30': lambda image: _jpeg(image, 30),
    'turned by 90 degrees, JPEG 80': lambda image: _jpeg(np.ascontiguousarray(np.rot90(image)), 80),
    'mirrored, 15 % brighter': lambda image: cv2.convertScaleAbs(image[:, ::-1], alpha=1.15, beta=8),
    'noise of 5 grey levels': _noisy,
    'side 75 %': lambda image: _smaller(image, 0.75),
    'side 50 %': lambda image: _smaller(image, 0.5),
    'displaced by 1 % of the side': lambda image: np.roll(image, max(1, round(0.01 * len(image))), 1),
    'displaced by 3 % of the side': lambda image: np.roll(image, round(0.03 * len(image)), 1),
    'middle 95 %': _cropped,
}


def recall(image: np.ndarray, codes: np.ndarray, change: Callable[[np.ndarray], np.ndarray]) -> tuple[bool, bool]:
    """Return True if the changed patch is proposed, and True if it is found."""
    grey = grey_of_bands(change(image))
    changed = orientation_codes(grey)
    proposed = changed is not None and bool(np.bitwise_count(codes ^ changed[0]).min() <= RADIUS)
    return proposed, proposed and shared_detail(grey_of_bands(image), grey) >= SAME_PLACE


def main(arguments: list[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        'data_root', type=Path, metavar='DATA', help='folder as a converter leaves it, with a test list'
    )
    parser.add_argument('--patches', type=int, default=300, help='patches to change, spread over the test list (300)')
    options = parser.parse_args(arguments)
    cv2.setNumThreads(1)

    def image_of(name: str) -> np.ndarray:
        return read_image(options.data_root / 'images' / f'{name}.png')

    known = {path.stem for path in (options.data_root / 'images').iterdir()}
    names = {split: read_list(options.data_root / 'splits' / f'{split}.txt', known) for split in ('train', 'test')}
    codes = {name: orientation_codes(grey_of_bands(image_of(name))) for name in names['train'] + names['test']}
    test, train = ([name for name in names[split] if codes[name] is not None] for split in ('test', 'train'))
    table = Table('change of the patch', 'proposed', 'found')
    chosen = [test[i] for i in np.unique(np.linspace(0, len(test) - 1, options.patches).round().astype(int))]
    for title, change in CHANGES.items():
        results = np.array([recall(image_of(name), codes[name], change) for name in chosen])
        table.add_row(title, *(f'{100 * share:.1f} %' for share in results.mean(axis=0)))
    start = time.perf_counter()
    position, _ = nearest_codes(np.array([codes[name][0] for name in train]), np.array([codes[name] for name in test]))
    seconds = time.perf_counter() - start
    pairs = [(name, train[at]) for name, at in zip(test, position.tolist(), strict=True) if at >= 0]
    shared = [shared_detail(*(grey_of_bands(image_of(name)) for name in pair)) for pair in pairs]
    console = Console()
    console.print(f'{options.data_root.name}: {len(chosen)} changed patches', highlight=False)
    console.print(table)
    console.print(
        f'unchanged, {len(test)} patches for testing among {len(train)} for training: {len(pairs)} proposed, '
        f'{sum(value >= SAME_PLACE for value in shared)} found (largest shared detail {max(shared, default=0):.2f}), '
        f'search {seconds:.2f} s',
        highlight=False,
        soft_wrap=True,
    )


if __name__ == '__main__':
    sys.exit(main())
