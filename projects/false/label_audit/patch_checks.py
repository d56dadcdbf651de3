"""Check every patch on its own, then look for patches that training and testing share.

Only a few numbers are kept per patch, never its pixels.
"""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from projects.false.common.errors import InputError
from projects.false.imagery.images import read_image, read_index_mask

from .findings import Finding
from .similar_pictures import grey_of_bands, nearest_codes, orientation_codes

SAME_PLACE = 0.6  # two pictures with at least this shared detail count as the same place


class PatchFacts(NamedTuple):
    """The facts that are kept about a patch.

    Args:
        counts: Pixels per class, then ignored pixels and pixels out of range; None without a readable mask.
        digest: Digest of the image's pixels; None without a readable image, or for a blank one.
        codes: Codes of the image in eight orientations; None as for ``digest``.
        findings: Findings about this patch alone.
    """

    counts: np.ndarray | None
    digest: bytes | None
    codes: np.ndarray | None
    findings: list[Finding]


def read_facts(
    name: str, image: Path | None, mask: Path | None, classes: Sequence[str], ignore_index: int, bands: int
) -> PatchFacts:
    """Read and check a patch.

    Args:
        name: Name of the patch.
        image: Its image; None if there is none.
        mask: Path of its mask, which need not exist; None if its labels are not used.
        classes: Names of the classes, from index 0.
        ignore_index: Value of pixels without a label.
        bands: Number of bands of the image.
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
        digest, codes = recognise(pixels)
        if codes is None:
            findings.append(Finding('blank image', name, f'all pixels are near {pixels.mean():.0f}'))
    if mask is not None and not mask.is_file():
        findings.append(Finding('missing mask', name, f'{mask}: no such file'))
    elif mask is not None:
        try:
            labels = read_index_mask(mask, 256, ignore_index)  # lets all values pass: _count checks them
        except InputError as error:
            findings.append(Finding('unreadable', name, str(error)))
        else:
            counts = _count(name, labels, classes, ignore_index, findings)
            if pixels is not None and labels.shape != pixels.shape[:2]:
                sizes = 'mask {1} x {0}, image {3} x {2}'.format(*labels.shape, *pixels.shape)
                findings.append(Finding('size mismatch', name, sizes))
    return PatchFacts(counts, digest, codes, findings)


def recognise(pixels: np.ndarray) -> tuple[bytes | None, np.ndarray | None]:
    """Return what identifies an image: the digest of its pixels, and its codes; None for a blank one.

    Shape:
        - pixels: (H, W, bands), uint8; codes: (8,), uint64
    """
    codes = orientation_codes(grey_of_bands(pixels))
    if codes is None:
        return None, None
    return hashlib.blake2b(pixels.tobytes(), digest_size=16, salt=str(pixels.shape[0]).encode()).digest(), codes


def _count(
    name: str, labels: np.ndarray, classes: Sequence[str], ignore_index: int, findings: list[Finding]
) -> np.ndarray:
    """Count the pixels per class, ignored and out of range, and add findings about them."""
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


def overlapping_windows(
    records: dict[str, dict], size: int, training: list[str], testing: dict[str, str]
) -> list[Finding]:
    """Find patches for testing that overlap a patch for training, by their windows in ``dataset.json``.

    Windows on the same side may overlap: the last row and column of an image are shifted inwards.

    Args:
        records: Patch name -> record with source, row and col; patches without a record are left out.
        size: Side of the windows in pixels.
        training: Patches for training.
        testing: Patch for testing -> its lists, as text.

    Returns:
        At most one finding per patch for testing, naming the training patch that shares most with it.
    """
    cells: dict[tuple, list[str]] = defaultdict(list)
    for name in training:
        if name in records and name not in testing:
            cells[_cell(records[name], size)].append(name)
    findings = []
    for name in testing:
        if name not in records:
            continue
        record = records[name]
        source, down, across = _cell(record, size)
        near = [
            other for i in (-1, 0, 1) for j in (-1, 0, 1) for other in cells.get((source, down + i, across + j), ())
        ]
        share, other = max(((_shared(record, records[other], size), other) for other in near), default=(0.0, ''))
        if share > 0:
            text = f'{share:.0%} of it is in {other}'
            findings.append(Finding('overlap', name, text, other))
    return findings


def _cell(record: dict, size: int) -> tuple:
    """Return the cell of a coarse grid in which a window begins; overlapping windows begin in neighbouring cells."""
    return record['source'], record['row'] // size, record['col'] // size


def _shared(one: dict, other: dict, size: int) -> float:
    """Return the share of a window that lies in another one of the same source."""
    sides = (size - abs(one[axis] - other[axis]) for axis in ('row', 'col'))
    height, width = (max(0, side) for side in sides)
    return height * width / size**2


def find_duplicates(
    facts: Mapping[str, PatchFacts],
    training: list[str],
    testing: dict[str, str],
    details: Callable[[list[tuple[str, str]]], list[float]],
) -> list[Finding]:
    """Find patches for testing that show the same place as a patch for training.

    Equal pixels have equal digests. Near duplicates are proposed by the nearest code; then both pictures are read again
    and their details compared. This leaves out patches that merely resemble each other, such as two beaches.

    Args:
        facts: Facts per patch.
        training: Patches for training.
        testing: Patch for testing -> its lists, as text. Patches that are also in ``training`` are left out.
        details: Function that returns the shared detail per pair of patches.

    Returns:
        At most one finding per patch for testing, ``identical`` or ``near duplicate``.
    """
    seen = set(training)
    trained = {name: codes for name in training if (codes := facts[name].codes) is not None}
    tested = {name: codes for name in testing if name not in seen and (codes := facts[name].codes) is not None}
    by_digest: dict[bytes | None, str] = {}
    for name in trained:
        by_digest.setdefault(facts[name].digest, name)
    findings = []
    for name in list(tested):
        twin = by_digest.get(facts[name].digest)
        if twin is not None:
            findings.append(Finding('identical', name, f'{testing[name]}: the same pixels as {twin}', twin))
            del tested[name]
    if not trained or not tested:
        return findings
    names = list(trained)
    upright = np.array([codes[0] for codes in trained.values()], np.uint64)
    position, _ = nearest_codes(upright, np.array(list(tested.values()), np.uint64))
    pairs = [(name, names[at]) for name, at in zip(tested, position.tolist(), strict=True) if at >= 0]
    for (name, other), shared in zip(pairs, details(pairs), strict=True):
        if shared >= SAME_PLACE:
            text = f'{testing[name]}: looks like {other} (shared detail {shared:.2f})'
            findings.append(Finding('near duplicate', name, text, other))
    return findings
