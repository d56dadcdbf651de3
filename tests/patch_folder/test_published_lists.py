import pytest

from projects.false.common.errors import InputError
from projects.false.converters.potsdam import TEST_TILES, TRAIN_TILES
from projects.false.patch_folder.published_lists import PUBLISHED_LISTS, WINDOWS, published_patches, read_published


def potsdam(stem='top_potsdam_{}', leave_out=(), windows=WINDOWS):
    """dataset.json of the 38 tiles, as far as the lists need it."""
    patches = []
    for split, tiles in (('train', TRAIN_TILES), ('test', TEST_TILES)):
        for tile in tiles:
            source = stem.format(tile)
            patches += [
                {'name': f'{source}_{row}_{col}', 'source': source, 'split': split, 'row': row, 'col': col}
                for row, col in windows
                if tile not in leave_out
            ]
    return {'patches': patches}


def test_the_lists_have_their_published_sizes():
    sizes = {name: len(set(read_published(name))) for name in PUBLISHED_LISTS}
    assert sizes == {'potsdam_1pct_138': 138, 'potsdam_val_1500': 1500}
    assert {tile for tile, _ in read_published('potsdam_1pct_138')} == set(TRAIN_TILES)
    assert {tile for tile, _ in read_published('potsdam_val_1500')} == set(TEST_TILES)


def test_windows_are_counted_row_by_row_and_the_last_are_shifted():
    data = potsdam()
    names = published_patches('potsdam_1pct_138', data)
    lines = read_published('potsdam_1pct_138')
    assert lines[:2] == [('7_8', 519), ('4_11', 51)]
    assert names[0] == f'top_potsdam_7_8_{21 * 256}_{14 * 256}'  # 518 = 21 * 24 + 14
    assert names[1] == 'top_potsdam_4_11_512_512'  # 50 = 2 * 24 + 2
    assert {name.rsplit('_', 2)[2] for (_, n), name in zip(lines, names, strict=True) if n % 24 == 0} <= {'5744'}
    assert any(number > 552 for _, number in lines)
    assert all(name.endswith('_5744_0') for (_, n), name in zip(lines, names, strict=True) if n == 553)
    assert len(set(names)) == 138
    assert len(set(published_patches('potsdam_val_1500', data))) == 1500


@pytest.mark.parametrize('stem', ['{}', 'top_potsdam_{}_RGB', 'potsdam_0{}', 'ortho1_top_potsdam_{}_IRRG'])
def test_tiles_are_known_by_their_numbers(stem):
    names = published_patches('potsdam_1pct_138', potsdam(stem))
    assert names[0] == f'{stem.format("7_8")}_5376_3584'


def test_the_order_in_dataset_json_does_not_matter():
    data = potsdam()
    backwards = {'patches': data['patches'][::-1]}
    assert published_patches('potsdam_1pct_138', backwards) == published_patches('potsdam_1pct_138', data)


def test_what_does_not_fit():
    with pytest.raises(InputError, match=r'1 of its 24 tiles are not in the data \(7_10\)'):
        published_patches('potsdam_1pct_138', potsdam(leave_out=['7_10']))
    with pytest.raises(InputError, match='top_potsdam_2_10: 575 patches'):
        published_patches('potsdam_1pct_138', potsdam(windows=WINDOWS[:-1]))
    with pytest.raises(InputError, match="'paris' is not known; give one of potsdam_1pct_138"):
        published_patches('paris', potsdam())
    twice = potsdam()
    twice['patches'] += potsdam('copy_{}')['patches']
    with pytest.raises(InputError, match="tile 2_10 is there twice, as 'top_potsdam_2_10' and 'copy_2_10'"):
        published_patches('potsdam_1pct_138', twice)
    moved = potsdam()
    for patch in moved['patches']:
        if patch['source'] == 'top_potsdam_6_7':
            patch['split'] = 'test'
    with pytest.raises(InputError, match='top_potsdam_6_7 is not for training'):
        published_patches('potsdam_1pct_138', moved)
