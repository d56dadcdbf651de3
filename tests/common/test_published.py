import pytest

from projects.false.common.errors import InputError
from projects.false.common.published import (
    CONFIG,
    PREPROCESSING,
    WEIGHTS,
    check_plain,
    find_checkpoint,
    published_folder,
)


def fill(folder, *names):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_text('')
    return folder


def test_a_folder_of_all_files_is_a_model_and_others_are_not(tmp_path):
    model = fill(tmp_path / 'model', CONFIG, WEIGHTS, PREPROCESSING)
    assert published_folder(model) == model
    assert find_checkpoint(model) == model / WEIGHTS
    assert published_folder(fill(tmp_path / 'other', 'scene.tif')) is None
    assert published_folder(tmp_path / 'gone') is None


@pytest.mark.parametrize('missing', [CONFIG, WEIGHTS, PREPROCESSING])
def test_an_incomplete_model_is_refused(missing, tmp_path):
    folder = fill(tmp_path / 'model', *({CONFIG, WEIGHTS, PREPROCESSING} - {missing}))
    for function in (published_folder, find_checkpoint):
        with pytest.raises(InputError, match=f'no complete model, {missing} is missing; copy or download'):
            function(folder)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache of Hugging Face, without network."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, 'HF_HUB_CACHE', str(tmp_path / 'hub'))
    monkeypatch.setattr(constants, 'HF_HUB_OFFLINE', True)
    return tmp_path / 'hub'


def test_a_snapshot_of_hugging_face_is_found_by_name_and_revision(cache):
    """Laid out as `hf download` leaves it: blobs, and names that link to them."""
    repository, commit = cache / 'models--lab--mine', 'c' * 40
    fill(repository / 'blobs', 'a')
    snapshot = repository / 'snapshots' / commit
    snapshot.mkdir(parents=True)
    for name in (CONFIG, WEIGHTS, PREPROCESSING):
        (snapshot / name).symlink_to('../../blobs/a')
    (repository / 'refs').mkdir()
    (repository / 'refs' / 'main').write_text(commit)
    assert published_folder('hf://lab/mine') == snapshot
    assert find_checkpoint(f'hf://lab/mine@{commit}') == snapshot / WEIGHTS
    with pytest.raises(InputError, match=r'^hf://lab/mine@v2: not on .*: hf download lab/mine --revision v2$'):
        published_folder('hf://lab/mine@v2')


@pytest.mark.parametrize(
    ('given', 'text'),
    [
        ('hf://lab/none', r'^hf://lab/none: not on this machine; run: hf download lab/none$'),
        ('hf://none', r'^hf://none: not the name of a model; give hf://OWNER/NAME'),
        ('hf://a/b/c', 'not the name of a model'),
        ('hf://../b', 'not the name of a model|not on this machine'),
    ],
)
def test_what_is_not_in_the_cache(given, text, cache):
    with pytest.raises(InputError, match=text):
        published_folder(given)


PLAIN = """
custom_imports = dict(allow_failed_imports=False, imports=['projects.false.engine', 'projects.false'])
model = dict(type='mmseg.EncoderDecoder', size=(64, 64), rate=-1.5, head={'a b': [None, True]})
runner_type = 'FALSERunner'
"""


def test_values_are_plain(tmp_path):
    config = tmp_path / CONFIG
    config.write_text(PLAIN)
    check_plain(config)


@pytest.mark.parametrize(
    'line',
    [
        'import os',
        "_base_ = '../other.py'",
        "open('x', 'w')",
        "a = open('x', 'w')",
        "a = dict(b=open('x', 'w'))",
        "a = ().__class__",
        'a = [b for b in range(3)]',
        'a = dict(**{})',
        "a = f'{1}'",
        'a = lambda: 1',
        'a = 2 ** 9999',
        'a.b = 1',
        "hook = dict(type='os.system', command='true')",
        "hook = dict(type='mmengine.utils.path.os.system', command='true')",
        "hook = {'type': 'projects.false.common.files.os.system'}",
        "hook = dict(type=['os.system'])",
        "runner_type = 'os.system'",
        "custom_imports = dict(imports=['antigravity'])",
        "custom_imports = dict(imports='projects.falsehood')",
        'a = (',
    ],
)  # fmt: skip
def test_anything_that_could_run_code_is_refused(line, tmp_path):
    config = tmp_path / CONFIG
    config.write_text(f'{PLAIN}{line}\n')
    with pytest.raises(InputError, match=r'line 5: .*nothing was run|cannot be read as a config'):
        check_plain(config)
