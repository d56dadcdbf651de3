"""Patches for testing that are in the training data too, as they are or nearly."""

from collections.abc import Callable, Mapping

import numpy as np

from .findings import Finding
from .patch_checks import PatchFacts
from .similar_pictures import nearest_codes

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
