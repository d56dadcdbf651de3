import pytest

from projects.false import InputError
from projects.false.converters.image_splits import assign_splits, draw_test_images

STEMS = [f'image_{number:03}' for number in range(803)]


def test_a_draw_depends_on_stems_and_seed_alone():
    drawn = draw_test_images(STEMS, 73, 803, seed=0)
    assert len(set(drawn)) == 73
    assert drawn == draw_test_images(STEMS[::-1], 73, 803, seed=0)
    assert drawn == sorted(drawn)
    assert drawn != draw_test_images(STEMS, 73, 803, seed=1)
    assert set(drawn) <= set(STEMS)


@pytest.mark.parametrize(('images', 'count'), [(2, 1), (11, 1), (22, 2), (400, 36)])
def test_fewer_images_give_the_same_share(images, count):
    assert len(draw_test_images(STEMS[:images], 73, 803, seed=0)) == count


def test_bad_draws():
    with pytest.raises(InputError, match='seed is -1'):
        draw_test_images(STEMS, 73, 803, seed=-1)
    with pytest.raises(InputError, match=r'1 image\(s\): one to train on'):
        draw_test_images(STEMS[:1], 73, 803, seed=0)


def test_lists_hold_names_or_patterns(tmp_path):
    (tmp_path / 'val.txt').write_text('image_00[12]\n')
    (tmp_path / 'test.txt').write_text('image_003 # the last\n')
    splits = assign_splits(STEMS[:5], tmp_path / 'val.txt', tmp_path / 'test.txt')
    assert list(splits.values()) == ['train', 'val', 'val', 'test', 'train']
