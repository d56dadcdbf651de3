"""Settings of the quickstart: what cannot end well claims no folder, and a folder without a step may still change."""

import json
from dataclasses import replace

import pytest

from projects.false.common.errors import InputError
from projects.false.engine.config import load_config
from projects.false.experiments import quickstart_settings
from projects.false.experiments.quickstart_settings import Settings, claim
from tests.helpers.tools import main_of

SMALL = Settings(tiles=10, val_tiles=1, test_tiles=1)


@pytest.mark.parametrize(
    ('arguments', 'text'),
    [
        (('--tiles', '10'), '--tiles is 10, too few to train on beside 4 for validation and 10 for the test; give'),
        (('--tiles', '21'), '--tiles is 21, too few to train on beside 4 for validation and 10 for the test; give'),
        (('--val-tiles', '0'), '--val-tiles is 0; give at least 1'),
        (('--test-tiles', '-1'), '--test-tiles is -1; give at least 1'),
        (('--epochs', '0'), '--epochs is 0; give at least 1'),
        (('--iterations', '0'), '--iterations is 0; give at least 1'),
        (('--seed', '-1'), '--seed is -1; give at least 0'),
        (('--label-fraction', '0'), '--label-fraction is 0.0; give a share above 0, at most 1'),
        (('--label-fraction', '1.5'), '--label-fraction is 1.5; give a share above 0, at most 1'),
        (('--label-fraction', 'nan'), '--label-fraction is nan; give a share above 0, at most 1'),
    ],
)  # fmt: skip
def test_a_value_out_of_range_claims_no_folder(arguments, text, tmp_path, capsys):
    assert main_of('quickstart')(['--work-dir', str(tmp_path / 'quick'), *arguments]) == 2
    assert capsys.readouterr().err.startswith(f'error: {text}')
    assert list(tmp_path.iterdir()) == []


def test_the_least_number_of_scenes_fills_a_batch():
    recipe = load_config('false_simclr_r18_synthetic')
    assert recipe.train_dataloader.batch_size == quickstart_settings._BATCH
    assert Settings(tiles=22).labelled == 1


def test_other_settings_take_a_folder_over_until_a_step_is_done(tmp_path):
    folder, other = tmp_path / 'quick', replace(SMALL, seed=2)
    claim(folder, SMALL)
    (folder / 'logs').mkdir()
    (folder / 'logs' / 'make-scenes.log').write_text('interrupted')
    claim(folder, other)
    assert json.loads((folder / 'settings.json').read_text())['seed'] == 2
    (folder / 'logs' / 'make-scenes.done').write_text('{}')
    claim(folder, other)
    with pytest.raises(InputError, match=r'quick: holds a run with other settings .* choose another --work-dir'):
        claim(folder, SMALL)
    assert json.loads((folder / 'settings.json').read_text())['seed'] == 2


def test_a_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / 'notes.txt').write_text('')
    with pytest.raises(InputError, match='is not empty and holds no quickstart'):
        claim(tmp_path, SMALL)
    (tmp_path / 'settings.json').write_text('{')
    with pytest.raises(InputError, match=r'settings\.json: is damaged; remove .* or choose another --work-dir'):
        claim(tmp_path, SMALL)
