"""Check patches: each by itself, then for near duplicates and overlaps across splits.

Of a patch only a few numbers are kept, never its pixels."""

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


def overlapping_windows(
    records: dict[str, dict], size: int, training: list[str], testing: dict[str, str]
) -> list[Finding]:
    """Find patches for testing that overlap with a patch for training, by their windows in ``dataset.json``.

    Windows of one split may overlap, as the last row and column do that are shifted inwards.

    Args:
        records: Patch name -> record with source, row and col; patches without one are left out.
        size: Side of the windows in pixels.
        training: Patches for training.
        testing: Patches for testing, with their lists.

    Returns:
        One finding for each such patch, with the training patch that shares most with it.
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
    return record['source'], record['row'] // size, record['col'] // size


def _shared(one: dict, other: dict, size: int) -> float:
    sides = (size - abs(one[axis] - other[axis]) for axis in ('row', 'col'))
    height, width = (max(0, side) for side in sides)
    return height * width / size**2


SAME_PLACE = 0.6  # shared detail from which two pictures count as one place


def find_duplicates(
    facts: Mapping[str, PatchFacts],
    training: list[str],
    testing: dict[str, str],
    details: Callable[[list[tuple[str, str]]], list[float]],
) -> list[Finding]:
    """Look for every patch for testing among those for training.

    Equal pixels are found by a digest. Near ones are proposed by the nearest code, then both pictures are read again
    and compared by their details, so that patches which merely resemble each other, two beaches say, are left out.

    Args:
        facts: Of every patch.
        training: Patches for training.
        testing: Patches for testing, with their lists. Those that are in ``training`` too are left out.
        details: Shared detail of pairs of patches.

    Returns:
        At most one finding for each patch for testing: ``identical`` or ``near duplicate``.
    """
    seen = set(training)
    known = [name for name in training if facts[name].codes is not None]
    asked = [name for name in testing if name not in seen and facts[name].codes is not None]
    if not known or not asked:
        return []
    by_digest: dict[bytes, str] = {}
    for name in known:
        by_digest.setdefault(facts[name].digest, name)
    findings, open_patches = [], []
    for name in asked:
        twin = by_digest.get(facts[name].digest)
        if twin is None:
            open_patches.append(name)
        else:
            findings.append(Finding('identical', name, f'{testing[name]}: the same pixels as {twin}', twin))
    if not open_patches:
        return findings
    codes = np.array([facts[name].codes[0] for name in known], np.uint64)
    position, _ = nearest_codes(codes, np.array([facts[name].codes for name in open_patches], np.uint64))
    pairs = [(name, known[at]) for name, at in zip(open_patches, position.tolist(), strict=True) if at >= 0]
    for (name, other), shared in zip(pairs, details(pairs), strict=True):
        if shared >= SAME_PLACE:
            text = f'{testing[name]}: looks like {other} (shared detail {shared:.2f})'
            findings.append(Finding('near duplicate', name, text, other))
    return findings
