"""The probe outlives every import."""

import pytest

from projects.false.doctor.probe import run_probe
from tests.helpers.tools import REPOSITORY as ROOT


@pytest.mark.parametrize(
    ('source', 'ok', 'words'),
    [
        ('__version__ = "1.5"', True, '1.5'),
        ('import os; os.abort()', False, 'signal 6'),
        ('import os; os._exit(3)', False, 'status 3'),
        ('import sys; sys.exit("bye")', False, 'SystemExit: bye'),
        ('import time; time.sleep(60)', False, 'not done after 2 s'),
        ('raise ImportError("no_such.so")', False, 'no_such.so'),
    ],
)
def test_probe_survives_what_an_import_may_do(tmp_path, monkeypatch, source, ok, words):
    (tmp_path / 'some_package.py').write_text(source)
    monkeypatch.setenv('PYTHONPATH', str(tmp_path))
    outcome = run_probe(str(ROOT), 2, {'some': 'some_package'})['some']
    assert outcome.ok is ok
    assert words in outcome.value
