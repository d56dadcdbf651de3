"""Kinds of findings of an audit, with their severity."""

from typing import NamedTuple

from projects.false.common.errors import InputError

# Kind -> (severity, meaning), in the order of reports. Errors stop a training, or spoil it silently.
KINDS = {
    'unreadable': ('error', 'files that cannot be read as image or mask'),
    'missing image': ('error', 'patches of a list without an image'),
    'missing mask': ('error', 'patches of a labelled list without a mask'),
    'size mismatch': ('error', 'masks whose size differs from their image'),
    'out of range': ('error', 'masks with values that are neither a class nor ignored'),
    'on both sides': ('warning', 'patches that are listed both for training and for testing'),
    'identical': ('warning', 'patches for testing with the same pixels as a patch for training'),
    'near duplicate': ('warning', 'patches for testing that look like a patch for training'),
    'overlap': ('warning', 'patches for testing that share ground with a patch for training'),
    'counts differ': ('warning', 'masks whose pixel counts differ from dataset.json'),
    'no label': ('warning', 'patches without a labelled pixel'),
    'blank image': ('warning', 'images of a single grey level'),
    'single class': ('note', 'patches of a single class'),
}


class Finding(NamedTuple):
    """One observation about a patch.

    Args:
        kind: Key of :data:`KINDS`.
        patch: Name of the patch.
        text: Details for a reader.
        other: Name of a second patch that is involved, or ''.
    """

    kind: str
    patch: str
    text: str
    other: str = ''

    @property
    def severity(self) -> str:
        """``'error'``, ``'warning'`` or ``'note'``."""
        return KINDS[self.kind][0]


def by_kind(findings: list[Finding]) -> dict[str, list[Finding]]:
    """Group findings by kind, in the order of :data:`KINDS`; within a kind, they keep their order."""
    unknown = {finding.kind for finding in findings} - set(KINDS)
    if unknown:
        raise InputError(f'kind of finding {min(unknown)!r} is not known; give one of {", ".join(KINDS)}')
    groups: dict[str, list[Finding]] = {kind: [] for kind in KINDS}
    for finding in findings:
        groups[finding.kind].append(finding)
    return {kind: group for kind, group in groups.items() if group}
