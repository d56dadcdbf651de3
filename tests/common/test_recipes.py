import pytest
from mmengine.config import Config

from projects.false.common.errors import InputError
from projects.false.common.recipes import config_bases, copy_recipe, find_config, recipe_names, recipe_summary
from tests.helpers.tools import REPOSITORY

CONFIGS = REPOSITORY / 'configs'


def test_every_recipe_is_named_and_described():
    assert len(recipe_names()) == len([*CONFIGS.glob('*.py'), *CONFIGS.glob('benchmarks/*.py')])
    assert [name for name in recipe_names() if len(recipe_summary(name)) < 20] == []


@pytest.mark.parametrize('given', ['upernet_r18_mbrsc', 'upernet_r18_mbrsc.py', 'configs/upernet_r18_mbrsc.py'])
def test_a_recipe_is_found_from_any_folder(given, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_config(given) == CONFIGS / 'upernet_r18_mbrsc.py'


def test_a_file_goes_before_a_recipe_of_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'upernet_r18_mbrsc.py').write_text('')
    assert find_config('upernet_r18_mbrsc.py').resolve() == tmp_path / 'upernet_r18_mbrsc.py'


@pytest.mark.parametrize(
    ('given', 'text'),
    [
        ('mine.py', r'^mine\.py: no such config; the recipes are in configs/$'),
        ('upernet_r18_mbrs', r'did you mean upernet_r18_mbrsc\?$'),
        ('elsewhere/upernet_r18_mbrsc.py', 'no such config'),
        ('.', r'^\.: a folder, and no published model'),
    ],
)
def test_what_is_no_config(given, text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=text):
        find_config(given)


def test_a_copy_is_the_same_recipe(tmp_path):
    copies = copy_recipe('configs/upernet_r18_mbrsc.py', tmp_path / 'mine')
    assert copies[0] == tmp_path / 'mine' / 'upernet_r18_mbrsc.py'
    assert Config.fromfile(copies[0]).to_dict() == Config.fromfile(CONFIGS / 'upernet_r18_mbrsc.py').to_dict()
    assert {path for path in (tmp_path / 'mine').rglob('*') if path.is_file()} == set(copies)
    assert copy_recipe('upernet_r18_mbrsc', tmp_path / 'mine') == copies


def test_a_changed_copy_stays_as_it_is(tmp_path):
    (tmp_path / '_base_').mkdir()
    (tmp_path / '_base_' / 'runtime.py').write_text('seed = 1\n')
    with pytest.raises(InputError, match=r'runtime\.py: exists with another content; give another folder'):
        copy_recipe('upernet_r18_mbrsc', tmp_path)
    assert [path.name for path in tmp_path.rglob('*.py')] == ['runtime.py']


def test_only_recipes_are_copied(tmp_path):
    with pytest.raises(InputError, match=r'^upernet_r18_mbrs: no such recipe; did you mean upernet_r18_mbrsc\?'):
        copy_recipe('upernet_r18_mbrs', tmp_path)
    (tmp_path / 'file').write_text('')
    with pytest.raises(InputError, match='give another folder'):
        copy_recipe('upernet_r18_mbrsc', tmp_path / 'file')


def test_bases_of_both_forms(tmp_path):
    config = tmp_path / 'mine.py'
    config.write_text("_base_ = 'a.py'\n")
    assert config_bases(config) == [tmp_path / 'a.py']
    config.write_text("_base_ = ['a.py', '../b.py']\n")
    assert config_bases(config) == [tmp_path / 'a.py', tmp_path / '../b.py']
    assert config_bases(tmp_path / 'gone.py') == []
