"""What an audit keeps of one patch: a few numbers, never its pixels."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from projects.false.errors import InputError
from projects.false.imagery.images import read_image, read_index_mask

from .findings import Finding
from .picture_hash import grey_of_bands, orientation_codes


class PatchFacts(NamedTuple):
    """One patch.

    Args:
        counts: Pixels of every class, ignored ones, and those out of range; None without a readable mask.
        digest: Of the image's pixels; None without a readable image, or if it is blank.
        codes: Of the image in eight orientations, None as above.
        findings: What is wrong with it, seen alone.
    """

    counts: np.ndarray | None
    digest: bytes | None
    codes: np.ndarray | None
    findings: list[Finding]


def read_facts(
    name: str, image: Path | None, mask: Path | None, classes: Sequence[str], ignore_index: int, bands: int
) -> PatchFacts:
    """Read a patch.

    Args:
        name: Of the patch.
        image: Its image; None if a list names it but there is none.
        mask: Its mask, which need not exist; None where labels are not used.
        classes: Names of the classes, from index 0.
        ignore_index: Value of pixels without a label.
        bands: Bands of the image.
    """
    findings: list[Finding] = []
    pixels = counts = digest = codes = None
    if image is None:
        findings.append(Finding('missing image', name, 'no image of that name'))
    else:
        try:
            pixels = read_image(image, bands)
        except InputError as error:
            findings.append(Finding('unreadable', name, str(error)))
    if pixels is not None:
        codes = orientation_codes(grey_of_bands(pixels))
        if codes is None:
            findings.append(Finding('blank image', name, f'all pixels are near {pixels.mean():.0f}'))
        else:
            digest = hashlib.blake2b(pixels.tobytes(), digest_size=16, salt=str(pixels.shape[0]).encode()).digest()
    if mask is not None and not mask.is_file():
        findings.append(Finding('missing mask', name, f'{mask}: no such file'))
    elif mask is not None:
        try:
            labels = read_index_mask(mask, 256, ignore_index)  # every value passes; those out of range are counted here
        except InputError as error:
            findings.append(Finding('unreadable', name, str(error)))
        else:
            counts = _count(name, labels, classes, ignore_index, findings)
            if pixels is not None and labels.shape != pixels.shape[:2]:
                findings.append(
                    Finding(
                        'size mismatch', name, 'mask {1} x {0}, image {3} x {2}'.format(*labels.shape, *pixels.shape)
                    )
                )
    return PatchFacts(counts, digest, codes, findings)


def _count(
    name: str, labels: np.ndarray, classes: Sequence[str], ignore_index: int, findings: list[Finding]
) -> np.ndarray:
    histogram = np.bincount(labels.ravel(), minlength=256)
    ignored = histogram[ignore_index]
    histogram[ignore_index] = 0
    known = len(classes)
    counts, wrong = histogram[:known], np.flatnonzero(histogram[known:]) + known
    if len(wrong):
        listed = ', '.join(f'{value} ({histogram[value]} pixels)' for value in wrong[:4])
        more = f' and {len(wrong) - 4} more' if len(wrong) > 4 else ''
        findings.append(Finding('out of range', name, f'{listed}{more}; classes are 0 to {known - 1}'))
    elif not counts.any():
        findings.append(Finding('no label', name, 'all pixels are ignored'))
    elif (counts > 0).sum() == 1:
        findings.append(Finding('single class', name, f'{classes[int(counts.argmax())]} only'))
    return np.array([*counts, ignored, histogram[known:].sum()], np.int64)
