"""Types in configs are known by their names, however they are given."""

import pytest

from projects.false.common.errors import InputError, type_name


@pytest.mark.parametrize(
    ('kind', 'name'),
    [('A', 'A'), ('mmengine.A', 'A'), ('a.b.A', 'A'), (InputError, 'InputError'), (None, ''), (3, '')],
)
def test_name_of_a_type(kind, name):
    assert type_name(kind) == name
