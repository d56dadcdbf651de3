"""Clusters and quantiles of appearance: what they tell apart, what they depend on, and files that do not fit."""

import json

import cv2
import numpy as np
import pytest

from projects.false import InputError
from projects.false.imagery.images import write_patch
from projects.false.patch_folder.appearance import Appearance, describe_windows, fit_appearance, fit_folder
from projects.false.patch_folder.packing import pack

GRASS, SAND, WATER = (40, 120, 60), (150, 190, 210), (120, 60, 20)  # blue, green, red


def ground(colors, size=64, bands=3, seed=0):
    """A patch of vertical stripes of these colours, with some noise."""
    noise = np.random.default_rng(seed).integers(-6, 7, (size, size, bands))
    image = np.zeros((size, size, bands))
    edges = np.linspace(0, size, len(colors) + 1).astype(int)
    for color, left, right in zip(colors, edges, edges[1:], strict=False):
        image[:, left:right] = (*color, *[90] * (bands - 3))
    return (image + noise).clip(0, 255).astype(np.uint8)


@pytest.fixture(scope='module')
def appearance():
    patches = [ground([color], seed=seed) for seed, color in enumerate([GRASS, SAND, WATER] * 4)]
    return fit_appearance(patches.__getitem__, len(patches), clusters=3)


def whole(image):
    return np.array([[0, 0, *image.shape[:2]]])


@pytest.mark.parametrize('colors', [[GRASS], [SAND], [GRASS, WATER], [SAND, GRASS, WATER, WATER]])
def test_shares_are_those_of_the_ground(appearance, colors):
    shares = {color: appearance.shares(ground([color]), whole(ground([color])))[0].argmax() for color in colors}
    image = ground(colors, seed=99)
    found = appearance.shares(image, whole(image))[0]
    for color, cluster in shares.items():
        assert found[cluster] == pytest.approx(colors.count(color) / len(colors), abs=0.01)


def test_a_window_sees_itself_alone(appearance):
    image = ground([GRASS, WATER])
    left, right = appearance.shares(image, np.array([[10, 4, 20, 20], [3, 40, 50, 20]]))
    assert left.max() == right.max() == 1
    assert left.argmax() != right.argmax()


@pytest.mark.parametrize('window', [[0, 0, 1, 1], [63, 63, 1, 1], [0, 61, 3, 3], [0, 0, 64, 64], [5, 9, 2, 55]])
def test_windows_of_every_size_and_place(appearance, window):
    shares = appearance.shares(ground([SAND]), np.array([window]))
    assert shares.sum() == pytest.approx(1)
    assert shares.max() == 1


def test_codes_are_shares_above_quantiles():
    patches = [np.random.default_rng(seed).integers(0, 256, (40, 40, 4), np.uint8) for seed in range(3)]
    fitted = fit_appearance(patches.__getitem__, 3, clusters=2, quantiles=3)
    points = np.concatenate([describe_windows(patch, whole(patch), 14) for patch in patches])
    assert fitted.quantiles.shape == (3, 5)
    for feature in range(5):
        expected = [np.mean(points[:, feature] > cut) for cut in fitted.quantiles[:, feature]]
        assert expected == pytest.approx([0.75, 0.5, 0.25], abs=0.01)
    windows = np.array([[0, 0, 40, 40], [3, 8, 20, 9]])
    codes = fitted.codes(patches[1], windows)
    assert codes.dtype == np.float32
    for window, code in zip(windows, codes, strict=True):
        described = describe_windows(patches[1], window[None])
        expected = [np.mean(described[:, f] > cut) for f in range(5) for cut in fitted.quantiles[:, f]]
        np.testing.assert_allclose(code, expected, atol=1e-6)


def test_difference_of_codes_is_the_distance_of_ranks():
    """Grey levels from 0 to 255 once each: the lower and the upper half are half of all ranks apart."""
    ramp = np.repeat(np.arange(256, dtype=np.uint8), 5)[None, :, None].repeat(5, 0).repeat(3, 2)
    fitted = fit_appearance([ramp].__getitem__, 1, clusters=2, pixels=196, quantiles=63)
    lower, upper = fitted.codes(ramp, np.array([[0, 0, 5, 640], [0, 640, 5, 640]])).reshape(2, 4, 63)[:, 0]
    assert np.abs(lower - upper).mean() == pytest.approx(0.5, abs=0.02)


def slow_description(image, row, column):
    """The description of one point as its definition reads, in float64."""
    rows = np.arange(row - 2, row + 3).clip(0, image.shape[0] - 1)
    columns = np.arange(column - 2, column + 3).clip(0, image.shape[1] - 1)
    block = image[rows][:, columns].astype(float)
    mean = block.mean((0, 1))
    if len(mean) < 3:
        return np.array([*(mean / 2.55), 2 * block[..., 0].std() / 2.55])
    lab = cv2.cvtColor(np.float32(mean[:3] / 255)[None, None], cv2.COLOR_BGR2LAB)[0, 0]
    grey = block[..., :3] @ [0.114, 0.587, 0.299]
    return np.array([*lab, *(mean[3:] / 2.55), 2 * grey.std() / 2.55])


@pytest.mark.parametrize('bands', [1, 2, 3, 4, 6])
def test_description(bands):
    image = np.random.default_rng(1).integers(0, 256, (40, 30, bands), np.uint8)
    windows = np.array([[0, 0, 40, 30], [7, 11, 9, 13]])
    found = describe_windows(image, windows, points=3).reshape(2, 3, 3, bands + 1)
    for window, (top, left, height, width) in enumerate(windows):
        for i in range(3):
            for j in range(3):
                row, column = top + int((i + 0.5) / 3 * height), left + int((j + 0.5) / 3 * width)
                expected = slow_description(image, row, column)
                # OpenCV rounds grey to whole levels.
                np.testing.assert_allclose(found[window, i, j], expected, atol=0.25)


@pytest.mark.parametrize('bands', [1, 2, 3, 5])
def test_a_map_gives_every_pixel_the_cluster_of_its_description(bands):
    smooth = [
        cv2.resize(generator.integers(0, 256, (12, 12, bands), np.uint8), (48, 48)).reshape(48, 48, bands)
        for generator in map(np.random.default_rng, (0, 1))
    ]
    fitted = fit_appearance(smooth.__getitem__, 2, clusters=4)
    found = fitted.map(smooth[0])
    described = describe_windows(smooth[0], whole(smooth[0]), points=48)
    nearest = ((described[:, None] - fitted.centres) ** 2).sum(-1).argmin(1).reshape(48, 48)
    assert found.dtype == np.uint8
    assert (found == nearest).mean() > 0.99  # OpenCV rounds differently in the two
    assert len(np.unique(found)) == 4
    assert fitted.map(smooth[0][:30]).shape == (30, 48)


def test_a_map_of_too_many_clusters(appearance):
    many = Appearance(np.zeros((255, 4), np.float32), appearance.quantiles, {})
    with pytest.raises(InputError, match='255 clusters do not fit into a map of at most 254 kinds'):
        many.map(ground([SAND]))


def test_texture_tells_apart_what_has_one_colour():
    smooth, rough = (np.full((64, 64, 3), 120, np.uint8) for _ in range(2))
    rough[::2] += 40
    rough[1::2] -= 40
    fitted = fit_appearance([smooth, rough].__getitem__, 2, clusters=2)
    assert fitted.shares(smooth, whole(smooth))[0].argmax() != fitted.shares(rough, whole(rough))[0].argmax()


@pytest.mark.parametrize('bands', [1, 2])
def test_grey_imagery_is_told_apart_by_its_levels(bands):
    dark, bright, other = (np.full((64, 64, bands), level, np.uint8) for level in (40, 200, 40))
    other[..., -1] = 120
    patches = [dark, bright, other][: bands + 1]
    fitted = fit_appearance(patches.__getitem__, len(patches), clusters=len(patches), quantiles=3)
    assert fitted.bands == bands
    assert len({fitted.shares(patch, whole(patch))[0].argmax() for patch in patches}) == len(patches)
    assert fitted.codes(dark, whole(dark)).shape == (1, (bands + 1) * 3)


def test_the_same_seed_gives_the_same_clusters():
    patches = [ground([GRASS, SAND], seed=seed) for seed in range(30)]
    first, again, other = (fit_appearance(patches.__getitem__, 30, patches=5, seed=seed) for seed in (0, 0, 1))
    assert (first.centres == again.centres).all()
    assert (first.centres != other.centres).any()
    assert first.fitted == {'patches': 5, 'of': 30, 'pixels': 196, 'seed': 0}
    assert fit_appearance(patches.__getitem__, 30, patches=5, seed=2**40).fitted['seed'] == 2**40


def test_a_file_holds_the_clusters(appearance, tmp_path):
    appearance.write(tmp_path / 'appearance.json')
    read = Appearance.read(tmp_path / 'appearance.json')
    np.testing.assert_allclose(read.centres, appearance.centres, atol=1e-4)
    np.testing.assert_allclose(read.quantiles, appearance.quantiles, atol=1e-4)
    assert (len(read), read.bands, read.fitted) == (3, 3, appearance.fitted)


@pytest.mark.parametrize(
    'spoil',
    [
        lambda content: content.pop('centres'),
        lambda content: content.update(centres=[1, 2]),
        lambda content: content.update(centres=[[1, 2, 3, float('nan')]]),
        lambda content: content.update(centres='none'),
        lambda content: content.update(format=2),
        lambda content: content.update(quantiles=[[1, 2, 3]]),
        lambda content: content['quantiles'].reverse(),
    ],
)
def test_a_damaged_file(appearance, tmp_path, spoil):
    path = tmp_path / 'appearance.json'
    appearance.write(path)
    content = json.loads(path.read_text())
    spoil(content)
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=r'appearance.json: .*fit it again'):
        Appearance.read(path)


def test_a_file_of_an_earlier_version_has_clusters_but_no_quantiles(appearance, tmp_path):
    path = tmp_path / 'appearance.json'
    appearance.write(path)
    content = json.loads(path.read_text())
    del content['quantiles']
    path.write_text(json.dumps(content))
    read = Appearance.read(path)
    assert read.shares(ground([SAND]), whole(ground([SAND]))).max() == 1
    with pytest.raises(
        InputError, match=r'has no quantiles; fit it again with .* --overwrite, or delete appearance.json'
    ):
        read.codes(ground([SAND]), whole(ground([SAND])))


def test_no_file_and_half_a_file(tmp_path):
    with pytest.raises(InputError, match=r'no such file; make it with tools/fit_appearance.py'):
        Appearance.read(tmp_path / 'appearance.json')
    (tmp_path / 'appearance.json').write_text('{"format": 1, "centr')
    with pytest.raises(InputError, match='no readable appearance'):
        Appearance.read(tmp_path / 'appearance.json')


def test_what_cannot_be_fitted():
    with pytest.raises(InputError, match='at least 2'):
        fit_appearance([ground([GRASS])].__getitem__, 1, clusters=1)
    with pytest.raises(InputError, match='quantiles'):
        fit_appearance([ground([GRASS])].__getitem__, 1, quantiles=0)
    with pytest.raises(InputError, match='seed is -1; give 0 or more'):
        fit_appearance([ground([GRASS])].__getitem__, 1, seed=-1)
    flat = np.zeros((32, 32, 3), np.uint8)
    with pytest.raises(InputError, match='fewer than 6 different appearances'):
        fit_appearance([flat].__getitem__, 1)


def test_images_of_other_bands(appearance):
    with pytest.raises(InputError, match='of 3 bands, these have 4'):
        appearance.shares(ground([GRASS], bands=4), np.array([[0, 0, 8, 8]]))


def test_a_folder_its_list_and_its_packed_patches(tmp_path):
    (tmp_path / 'images').mkdir()
    for number in range(8):
        write_patch(tmp_path / 'images' / f'p{number}', ground([GRASS if number < 4 else WATER], seed=number))
    (tmp_path / 'splits').mkdir()
    (tmp_path / 'splits' / 'some.txt').write_text('p0\np1\np5\n')
    (tmp_path / 'images' / 'notes.txt').write_text('x')
    notes: list[str] = []
    everything = fit_folder(tmp_path, clusters=2, note=notes.append)
    assert notes == [f'{tmp_path}/images: left out 1 file: notes.txt (no imagery that is read here)']
    some = fit_folder(tmp_path, names='splits/some.txt', clusters=2)
    assert (everything.fitted['of'], some.fitted['of']) == (8, 3)
    (tmp_path / 'splits' / 'some.txt').rename(tmp_path / 'splits' / 'pretrain.txt')
    assert (fit_folder(tmp_path, clusters=2).centres == some.centres).all()
    pack(tmp_path)
    for path in (tmp_path / 'images').iterdir():
        path.unlink()
    (tmp_path / 'images').rmdir()
    assert (fit_folder(tmp_path, clusters=2).centres == some.centres).all()


def test_folders_without_images(tmp_path):
    with pytest.raises(InputError, match='no such folder'):
        fit_folder(tmp_path)
    (tmp_path / 'images').mkdir()
    with pytest.raises(InputError, match='holds no image'):
        fit_folder(tmp_path)


def test_a_folder_of_grey_images(tmp_path):
    (tmp_path / 'images').mkdir()
    for number in range(4):
        write_patch(tmp_path / 'images' / f'p{number}', ground([GRASS if number < 2 else SAND], bands=3)[..., 0])
    (tmp_path / 'dataset.json').write_text('{"patches": [], "bands": {"count": 1}}')
    assert fit_folder(tmp_path, clusters=2).centres.shape == (2, 2)
