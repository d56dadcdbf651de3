"""Windows of one image on both sides of a split that show the same ground."""

from collections import defaultdict

from .findings import Finding


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
