"""Whether the results of a test can be written is known before it."""

import pytest

from projects.false.errors import InputError
from projects.false.evaluation.test_run import check_outputs


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """In a folder with a file."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'log').write_text('kept')


def test_places_are_made(tmp_path):
    check_outputs(None, None)
    check_outputs('out/scores.json', 'out/predictions')
    check_outputs('log', '.')  # is replaced
    assert sorted(path.name for path in tmp_path.rglob('*')) == ['log', 'out', 'predictions']
    assert (tmp_path / 'log').read_text() == 'kept'


@pytest.mark.parametrize(
    ('out', 'predictions', 'text'),
    [
        ('log/scores.json', None, '--out log/scores.json: log is a file; choose another --out'),
        ('log/a/b.json', None, '--out log/a/b.json: log is a file; choose another --out'),
        ('.', None, '--out . is a folder; give the name of a file in it'),
        (None, 'log', '--predictions log: log is a file; choose another --predictions'),
        (None, '/proc/x', '--predictions /proc/x: cannot be written'),
    ],
)
def test_places_that_are_taken(out, predictions, text):
    with pytest.raises(InputError) as caught:
        check_outputs(out, predictions)
    assert str(caught.value).startswith(text)
