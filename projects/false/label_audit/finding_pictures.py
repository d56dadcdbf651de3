"""What a finding is about, as a picture: image and label side by side, or two images."""

import cv2
import numpy as np

from projects.false.datasets.color_codes import IGNORE_INDEX
from projects.false.datasets.palette import Palette
from projects.false.errors import InputError
from projects.false.imagery.images import read_image, read_index_mask
from projects.false.reports.pictures import mask_picture

from .audit import Audit, mask_path
from .findings import Finding, by_kind

SIDE, GAP = 160, 6  # pixels


def chosen_findings(findings: list[Finding], most: int, most_notes: int) -> list[Finding]:
    """Findings to show, spread over the data set: of every kind in turn, so that each is seen.

    Args:
        findings: What was found.
        most: How many to choose.
        most_notes: How many of a kind that is only a note.
    """
    groups = []
    for group in by_kind(findings).values():
        limit = min(len(group), most_notes if group[0].severity == 'note' else most)
        groups.append([group[i] for i in np.linspace(0, len(group) - 1, limit).round().astype(int)])
    turns = max(map(len, groups), default=0)
    picked = [group[turn] for turn in range(turns) for group in groups if turn < len(group)][:most]
    return [finding for group in by_kind(picked).values() for finding in group]


def finding_picture(finding: Finding, audit: Audit, palette: Palette) -> np.ndarray:
    """Draw one finding.

    Pairs of patches are shown as two images, everything else as image and label. What cannot be read is a crossed box;
    label values out of range are in black and red squares.

    Shape:
        - result: (SIDE, 2 SIDE + GAP, 3), uint8, RGB.
    """
    left = _image(audit, finding.patch)
    right = _image(audit, finding.other) if finding.other else _label(audit, finding.patch, palette)
    sheet = np.full((SIDE, 2 * SIDE + GAP, 3), 255, np.uint8)
    sheet[:, :SIDE], sheet[:, SIDE + GAP :] = left, right
    return sheet


def _image(audit: Audit, name: str) -> np.ndarray:
    path = audit.images.get(name)
    bands = len((audit.description.get('bands') or {}).get('names') or 'RGB')
    try:
        image = read_image(path, bands) if path else None
    except InputError:
        image = None
    if image is None:
        return _crossed()
    image = image[..., 2::-1] if bands >= 3 else np.repeat(image[..., :1], 3, axis=2)
    return cv2.resize(np.ascontiguousarray(image), (SIDE, SIDE), interpolation=cv2.INTER_AREA)


def _label(audit: Audit, name: str, palette: Palette) -> np.ndarray:
    try:
        label = read_index_mask(mask_path(audit.data_root, name, audit.images.get(name)), 256)
    except InputError:
        return _crossed()
    label = cv2.resize(label, (SIDE, SIDE), interpolation=cv2.INTER_NEAREST_EXACT)
    colors = cv2.resize(mask_picture(label, palette), (SIDE, SIDE), interpolation=cv2.INTER_NEAREST_EXACT)[..., ::-1]
    rows, columns = np.indices(label.shape) // 4
    squares = np.where(((rows + columns) % 2 == 0)[..., None], np.uint8([230, 0, 0]), np.uint8([0, 0, 0]))
    wrong = (label >= len(palette.classes)) & (label != IGNORE_INDEX)
    return np.where(wrong[..., None], squares, colors)


def _crossed() -> np.ndarray:
    box = np.full((SIDE, SIDE, 3), 235, np.uint8)
    for start, end in (((0, 0), (SIDE - 1, SIDE - 1)), ((SIDE - 1, 0), (0, SIDE - 1))):
        cv2.line(box, start, end, (170, 170, 170), 1, cv2.LINE_AA)
    return box
