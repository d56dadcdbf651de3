"""The screen that the doctor shows."""

import sys

import pytest

from projects.false.doctor.checks import check_all
from projects.false.doctor.report import show
from tests.helpers.environments import facts


@pytest.mark.parametrize('with_rich', [True, False])
def test_errors_are_counted(capsys, monkeypatch, with_rich):
    if not with_rich:
        monkeypatch.setitem(sys.modules, 'rich.console', None)
    environment = facts(remove=['regex'], add={'torch': '2.5.0', 'torchvision': '0.20.0'}, cores=1, free_disk=0)
    show(environment, check_all(environment))
    printed = capsys.readouterr().out
    assert '3 to fix' in printed
    assert 'onedl-mmengine' in printed


def test_healthy_environment_is_ready(capsys):
    show(facts(), [])
    assert 'ready to train' in capsys.readouterr().out
