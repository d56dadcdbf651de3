"""Models and data that the hooks cannot monitor; tests/end_to_end/test_watched_training.py tests what they do."""

import pytest

import projects.false.engine  # noqa: F401
from projects.false import InputError


@pytest.mark.parametrize(
    ('hook', 'message'),
    [
        ('CollapseHook', r'no model\.head\.loss_module in Tiny; it monitors only FALSE and FALSEMoCo'),
        ('ProbeHook', 'has no labelled data; set its data_root'),
    ],
)
def test_what_cannot_be_watched_is_told_before_training(tiny_runner, hook, message):
    runner = tiny_runner(hook, custom_hooks=[dict(type=hook)])
    with pytest.raises(InputError, match=message):
        runner.train()
    assert runner.iter == 0
