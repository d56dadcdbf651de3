"""Requirements, versions and folders, as the doctor reads them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version

from projects.false.doctor.facts import broken_bounds, normalise, parse_requirements, unwritable_folders, version_key


def test_parse_requirements():
    text = '# comment\nTorch_Vision>=0.21,<1  # why\n\nregex\nnumpy>2; python_version < "3"\n-r other.txt\n'
    assert parse_requirements(text) == [
        ('torch-vision', (('>=', '0.21'), ('<', '1'))),
        ('regex', ()),
        ('numpy', (('>', '2'),)),
    ]
    assert normalise('A.b__C') == 'a-b-c'


numbers = st.lists(st.integers(0, 30), min_size=1, max_size=4).map(lambda parts: '.'.join(map(str, parts)))


@given(numbers, numbers, st.sampled_from(['', 'rc1', '.dev0', '+cpu']))
def test_version_order_is_that_of_packaging(left, right, suffix):
    expected = Version(left + suffix.replace('+cpu', '')) < Version(right)
    assert (version_key(left + suffix) < version_key(right)) is expected
    assert (broken_bounds(left + suffix, (('<', right),)) == []) is expected


def test_version_without_number():
    with pytest.raises(ValueError, match='unknown'):
        version_key('unknown')


def test_unwritable_folder(tmp_path):
    not_a_folder = tmp_path / 'file'
    not_a_folder.write_text('')
    assert list(unwritable_folders([str(tmp_path), str(not_a_folder), str(tmp_path / 'absent')])) == [str(not_a_folder)]
