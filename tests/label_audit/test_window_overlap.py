import numpy as np

from projects.false.imagery.windows import grid
from projects.false.label_audit.patch_checks import overlapping_windows


def test_against_counting_pixels():
    rng = np.random.default_rng(0)
    size, records, covered = 16, {}, {}
    for number in range(120):
        source, row, col = f's{rng.integers(3)}', int(rng.integers(0, 200)), int(rng.integers(0, 200))
        records[f'p{number}'] = {'source': source, 'row': row, 'col': col}
    names = list(records)
    training, testing = names[:80], dict.fromkeys(names[80:], 'test')
    for name in names:
        canvas = np.zeros((216, 216), bool)
        canvas[records[name]['row'] :, records[name]['col'] :][:size, :size] = True
        covered[name] = canvas
    expected = {}
    for name in testing:
        shared = {
            other: (covered[name] & covered[other]).sum() / size**2
            for other in training
            if records[other]['source'] == records[name]['source']
        }
        if max(shared.values()) > 0:
            expected[name] = max(shared.values())
    findings = overlapping_windows(records, size, training, testing)
    assert {finding.patch for finding in findings} == set(expected)
    assert 3 < len(expected) < 40
    for finding in findings:
        assert finding.text == f'{expected[finding.patch]:.0%} of it is in {finding.other}'


def test_shifted_windows_within_a_split_are_none_of_its_business():
    records = {f'{source}_{row}_{col}': {'source': source, 'row': row, 'col': col}
               for source in 'ab' for row, col in grid(40, 40, 16, 16)}  # fmt: skip
    training = [name for name in records if name.startswith('a')]
    testing = {name: 'test' for name in records if name.startswith('b')}
    assert overlapping_windows(records, 16, training, testing) == []
    assert overlapping_windows(records, 16, training, {'unknown': 'test', 'a_0_0': 'test'}) == []
    moved = overlapping_windows(records, 16, [name for name in training if name != 'a_24_24'], {'a_24_24': 'test'})
    assert [(finding.kind, finding.text) for finding in moved] == [('overlap', '50% of it is in a_24_16')]
