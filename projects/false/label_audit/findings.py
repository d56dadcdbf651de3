"""What an audit can find, and how bad it is."""

from typing import NamedTuple

from projects.false.common.errors import InputError

# Kind -> (severity, what it means). In the order of reports; errors stop a training or spoil it without a word.
KINDS = {
    'unreadable': ('error', 'files that cannot be read as what they should be'),
    'missing image': ('error', 'patches of a list without an image'),
    'missing mask': ('error', 'patches of a labelled list without a mask'),
    'size mismatch': ('error', 'masks of another size than their image'),
    'out of range': ('error', 'masks with values that are neither a class nor ignored'),
    'on both sides': ('warning', 'patches that are listed for training and for testing'),
    'identical': ('warning', 'patches for testing whose very pixels are in a patch for training'),
    'near duplicate': ('warning', 'patches for testing that look like a patch for training'),
    'overlap': ('warning', 'patches for testing that share ground with a patch for training'),
    'counts differ': ('warning', 'masks that hold other pixels than dataset.json says'),
    'no label': ('warning', 'patches without a labelled pixel'),
    'blank image': ('warning', 'images of a single grey level'),
    'single class': ('note', 'patches of one class only'),
}


class Finding(NamedTuple):
    """One thing about one patch.

    Args:
        kind: Key of :data:`KINDS`.
        patch: Name of the patch.
        text: What exactly, for a reader.
        other: A second patch that takes part, or ''.
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
    """Findings of every kind that occurs, in the order of :data:`KINDS`, each in the order given."""
    unknown = {finding.kind for finding in findings} - set(KINDS)
    if unknown:
        raise InputError(f'kind of finding {min(unknown)!r} is not known; give one of {", ".join(KINDS)}')
    groups = {kind: [] for kind in KINDS}
    for finding in findings:
        groups[finding.kind].append(finding)
    return {kind: group for kind, group in groups.items() if group}
