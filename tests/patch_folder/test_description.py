import json

import pytest

from projects.false import InputError
from projects.false.patch_folder.description import finished_before, read_band_count

ARGUMENTS = {'seed': 0, 'bands': ('red', 'green')}


@pytest.fixture
def out(tmp_path):
    description = {'classes': ['a'], 'patches': [{'name': 'x_0_0'}], 'arguments': ARGUMENTS}
    for folder in ('images', 'masks'):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / 'x_0_0.png').write_text('')
    (tmp_path / 'dataset.json').write_text(json.dumps(description))
    return tmp_path


def test_the_same_arguments_are_done_before(out):
    assert finished_before(out, ARGUMENTS, overwrite=False).done_before
    assert finished_before(out, ARGUMENTS, overwrite=True) is None
    assert finished_before(out / 'nowhere', ARGUMENTS, overwrite=False) is None


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ({**ARGUMENTS, 'seed': 1}, r'made with seed 0, not 1; give another output folder, or --overwrite'),
        ({**ARGUMENTS, 'new': 'x'}, r'made with new null, not "x"'),
        ({'seed': 0}, r'made with bands \["red", "green"\], not null'),
        ({'seed': list(range(99)), 'bands': []}, r'bands .* \(and other seed\)'),
    ],
)
def test_other_arguments_are_named(out, arguments, message):
    with pytest.raises(InputError, match=message):
        finished_before(out, arguments, overwrite=False)


@pytest.mark.parametrize('content', ['', '[]', '{"patches": [{}]}', '{"arguments": {}}'])
def test_damaged_descriptions(out, content):
    (out / 'dataset.json').write_text(content)
    with pytest.raises(InputError, match=r'dataset\.json: no readable description .*--overwrite'):
        finished_before(out, ARGUMENTS, overwrite=False)


def test_what_an_earlier_version_made_is_not_taken_for_the_same(out):
    (out / 'dataset.json').write_text('{"patches": []}')
    with pytest.raises(InputError, match='does not tell what it was made with'):
        finished_before(out, ARGUMENTS, overwrite=False)


def test_missing_patches_are_named_unless_they_are_packed(out):
    (out / 'masks/x_0_0.png').unlink()
    with pytest.raises(InputError, match=r"masks: 1 of 1 patches are missing, the first is 'x_0_0'"):
        finished_before(out, ARGUMENTS, overwrite=False)
    (out / 'packed').mkdir()
    assert finished_before(out, ARGUMENTS, overwrite=False).done_before


def test_the_number_of_bands(tmp_path):
    assert read_band_count(tmp_path) == 3
    path = tmp_path / 'dataset.json'
    path.write_text('{"patches": [], "bands": {"count": 5}}')
    assert read_band_count(tmp_path) == 5
    for content in ('{', '{"patches": []}', *(f'{{"patches": [], "bands": {bands}}}' for bands in BAD_BANDS)):
        path.write_text(content)
        with pytest.raises(InputError, match=r'dataset\.json: states no number of bands .*; convert it again'):
            read_band_count(tmp_path, 'convert it again')


BAD_BANDS = ('null', '[]', '{}', '{"count": null}', '{"count": 0}', '{"count": "many"}')
