"""tools/misc/print_config.py: the whole recipe in one file."""

from mmengine.config import Config

from projects.false.engine.config import load_config
from tests.helpers.tools import REPOSITORY, main_of


def test_the_output_is_the_same_recipe_without_bases(capsys, tmp_path):
    path = REPOSITORY / 'configs' / 'upernet_r18_synthetic.py'
    assert main_of('misc/print_config')([str(path), '--cfg-options', 'train_cfg.max_iters=7']) == 0
    printed = tmp_path / 'printed.py'
    printed.write_text(capsys.readouterr().out)
    found = Config.fromfile(printed).to_dict()
    assert found == load_config(str(path), {'train_cfg.max_iters': 7}).to_dict()
    assert found['train_cfg']['max_iters'] == 7
    assert '_base_' not in printed.read_text()


def test_no_such_config(capsys):
    assert main_of('misc/print_config')(['gone.py']) == 2
    assert capsys.readouterr().err == 'error: gone.py: no such config; the recipes are in configs/\n'
