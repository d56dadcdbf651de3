"""Evidence of views: taken from the untouched pixels of the right window, and its clusters found, made or refused."""

import json
import shutil
import unicodedata
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import rasterio
from mmpretrain.datasets import PackInputs

from projects.false import InputError
from projects.false.datasets import ContrastiveViews, LoadPatch, UnlabelledPatches, ViewAppearance, ViewMaps, ViewPlace
from projects.false.datasets.seeding import SampleIndex
from projects.false.datasets.view_evidence import fit_missing_appearance
from projects.false.imagery.images import write_patch
from projects.false.patch_folder.appearance import FILE, Appearance, fit_folder
from projects.false.patch_folder.packing import pack

PIPELINE = [
    dict(type='LoadPatch'),
    dict(type='ContrastiveViews', size=16, crop_scale=(0.2, 0.4), jitter=(0.8, 0.8, 0.8, 0.2), jitter_prob=1.0),
    dict(type='ViewAppearance'),
]


@pytest.fixture
def data(tmp_path) -> Path:
    """Patches whose left half is dark and whose right half is bright."""
    (tmp_path / 'images').mkdir()
    for number in range(6):
        image = np.random.default_rng(number).integers(0, 40, (48, 48, 3), np.uint8)
        image[:, 24:] += 180
        write_patch(tmp_path / 'images' / f'p{number}', image)
    return tmp_path


def test_shares_of_every_view_before_its_colours_change(data):
    fit_folder(data, clusters=2).write(data / FILE)
    for result in UnlabelledPatches(str(data), pipeline=PIPELINE):
        evidence, windows = result['evidence'], result['view_windows']
        assert evidence.dtype == np.float32
        for (dark, bright), (_, left, _, width) in zip(evidence, windows, strict=True):
            assert dark + bright == pytest.approx(1)
            expected = min(max(24 - left, 0), width) / width
            assert dark == pytest.approx(expected, abs=0.13)  # eight columns of points


def test_codes_of_every_view(data):
    fit_folder(data, clusters=2, quantiles=3).write(data / FILE)
    steps = [*PIPELINE[:2], dict(type='ViewAppearance', code='quantiles')]
    for result in UnlabelledPatches(str(data), pipeline=steps):
        evidence = result['evidence']
        assert (evidence.shape, evidence.dtype) == ((2, 12), np.float32)
        for code, (_, left, _, width) in zip(evidence, result['view_windows'], strict=True):
            dark = min(max(24 - left, 0), width) / width
            assert code[1] == pytest.approx(1 - dark, abs=0.13)  # above the median of lightness
    with pytest.raises(InputError, match=r"code of ViewAppearance is 'marginals'; give one of clusters, quantiles"):
        ViewAppearance(code='marginals')


def test_views_do_not_depend_on_the_evidence(data):
    fit_folder(data, clusters=2).write(data / FILE)
    with_it, without = (UnlabelledPatches(str(data), pipeline=steps) for steps in (PIPELINE, PIPELINE[:2]))
    for one, other in zip(with_it, without, strict=True):
        assert one['view_windows'].shape == other['view_windows'].shape
    np.random.seed(3)
    one = with_it[0]
    np.random.seed(3)
    other = without[0]
    assert all((a == b).all() for a, b in zip(one['img'], other['img'], strict=True))


def test_packed_patches_and_a_file_elsewhere(data, tmp_path_factory):
    appearance = fit_folder(data, clusters=2)
    pack(data)
    with pytest.raises(InputError, match=r'no appearance.json here or above'):
        UnlabelledPatches(str(data), packed=True, pipeline=PIPELINE)[0]
    elsewhere = tmp_path_factory.mktemp('elsewhere') / 'clusters.json'
    appearance.write(elsewhere)
    steps = [*PIPELINE[:2], dict(type='ViewAppearance', file=str(elsewhere))]
    assert UnlabelledPatches(str(data), packed=True, pipeline=steps)[0]['evidence'].shape == (2, 2)


def test_patches_that_are_packed_elsewhere(data, tmp_path_factory):
    placed(data)
    fit_folder(data, clusters=2).write(data / 'appearance.json')
    pack(data)
    fast = shutil.move(data / 'packed', tmp_path_factory.mktemp('fast') / 'packed')
    steps = [*PIPELINE, dict(type='ViewPlace')]
    visit = SampleIndex(0, (1, 2))
    here, there = (UnlabelledPatches(str(data), packed=packed, pipeline=steps)[visit] for packed in (False, str(fast)))
    for field in ('evidence', 'place'):
        assert (here[field] == there[field]).all()


def test_clusters_are_made_once_where_a_pipeline_needs_them(data):
    dataset = UnlabelledPatches(str(data), pipeline=PIPELINE)
    assert fit_missing_appearance(dataset) == data / FILE
    made = (data / FILE).read_bytes()
    assert len(Appearance.read(data / FILE)) == 6
    assert dataset[0]['evidence'].shape == (2, 6)
    assert fit_missing_appearance(dataset) is None
    assert (data / FILE).read_bytes() == made


def test_unreadable_patches_are_left_to_their_limit(data):
    (data / 'images' / 'p2.png').write_bytes(b'damaged')
    with pytest.raises(InputError, match=r'p2.png'):
        fit_missing_appearance(UnlabelledPatches(str(data), pipeline=PIPELINE))
    assert not (data / FILE).exists()
    assert fit_missing_appearance(UnlabelledPatches(str(data), pipeline=PIPELINE, max_unreadable=1)) == data / FILE


def test_no_clusters_are_made_where_none_are_needed(data):
    assert fit_missing_appearance(UnlabelledPatches(str(data), pipeline=PIPELINE[:2])) is None
    assert fit_missing_appearance(SimpleNamespace()) is None
    given = [*PIPELINE[:2], dict(type='ViewAppearance', file='clusters.json')]
    assert fit_missing_appearance(UnlabelledPatches(str(data), pipeline=given)) is None
    assert not (data / FILE).exists()


def test_joined_data_sets_need_one_file(data):
    joined = SimpleNamespace(datasets=[UnlabelledPatches(str(data), pipeline=PIPELINE) for _ in range(2)])
    with pytest.raises(InputError, match=r'joined need clusters in common'):
        fit_missing_appearance(joined)


def test_it_comes_after_the_views(data):
    with pytest.raises(InputError, match='put it after ContrastiveViews'):
        ViewAppearance()(LoadPatch()({'img_path': str(data / 'images' / 'p0.png')}))
    assert ContrastiveViews(size=8)  # the step that it needs


def test_a_data_set_adds_the_step_and_packs_its_result(data):
    fit_folder(data, clusters=2).write(data / FILE)
    steps = [*PIPELINE[:2], dict(type=PackInputs, meta_keys=('sample_idx',))]
    with_it = UnlabelledPatches(str(data), pipeline=steps, evidence=dict(type='ViewAppearance'))
    sample, plain = with_it[3]['data_samples'], UnlabelledPatches(str(data), pipeline=steps)[3]['data_samples']
    assert sample.evidence.shape == (2, 2)
    assert 'land_cover' not in sample
    assert 'evidence' not in plain
    assert sample.sample_idx == plain.sample_idx == 3
    assert steps[-1] == dict(type=PackInputs, meta_keys=('sample_idx',))


@pytest.mark.parametrize(
    ('steps', 'evidence', 'message'),
    [
        (PIPELINE[:2], dict(type='ViewAppearance'), 'whose last step is PackInputs'),
        ([], dict(type='ViewAppearance'), 'whose last step is PackInputs'),
        ([*PIPELINE[:2], dict(type='PackInputs')], 'appearance', "evidence is 'appearance'; give a known step"),
        ([*PIPELINE[:2], dict(type='PackInputs')], dict(file='x.json'), 'give a known step'),
        ([*PIPELINE[:2], dict(type='PackInputs')], dict(type='ViewApearance'), 'ViewApearance.*give a known step'),
    ],
)
def test_a_step_that_cannot_be_added_is_refused(data, steps, evidence, message):
    with pytest.raises(InputError, match=message):
        UnlabelledPatches(str(data), pipeline=steps, evidence=evidence)


def maps_of(data, folder, name='{}.png'):
    """Maps of the patches of ``data``: kind 0 left of the middle, kind 1 right of it, unknown in the first rows."""
    kinds = np.zeros((48, 48), np.uint8)
    kinds[:, 24:], kinds[:10] = 1, 255
    for path in (data / 'images').glob('*.png'):
        write_patch(folder / name.format(path.stem).removesuffix('.png'), kinds)
    return kinds


@pytest.mark.parametrize('packed', [False, True])
def test_shares_by_maps(data, tmp_path_factory, packed):
    folder = tmp_path_factory.mktemp('maps')
    kinds = maps_of(data, folder)
    if packed:
        pack(data)
    step = dict(type='ViewMaps', folder=str(folder), kinds=3)
    dataset = UnlabelledPatches(str(data), packed=packed, pipeline=[*PIPELINE[:2], step])
    for result in dataset:
        assert result['evidence'].dtype == np.float32
        for shares, (top, left, height, width) in zip(result['evidence'], result['view_windows'], strict=True):
            seen = kinds[top : top + height, left : left + width]
            known = max((seen < 255).sum(), 1)
            np.testing.assert_allclose(shares, [(seen == kind).sum() / known for kind in range(3)], atol=1e-6)
    maps_of(data, folder)
    write_patch(folder / 'p0', np.full((48, 48), 2, np.uint8))
    assert dataset[0]['evidence'].tolist() == [[0, 0, 1]] * 2  # maps are read anew


def test_maps_that_do_not_fit(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp('maps')
    dataset = UnlabelledPatches(str(data), pipeline=[*PIPELINE[:2], dict(type='ViewMaps', folder=str(folder), kinds=2)])
    with pytest.raises(InputError, match=r'maps\d*/p0.png: no map of .*images/p0.png; make the maps again'):
        dataset[0]
    maps_of(data, folder)
    write_patch(folder / 'p0', np.zeros((48, 40), np.uint8))
    with pytest.raises(InputError, match=r'p0.png: map of 40x48 pixels for an image of 48x48 .*images/p0.png'):
        dataset[0]
    write_patch(folder / 'p1', np.full((48, 48), 2, np.uint8))
    with pytest.raises(InputError, match=r'p1.png'):
        dataset[1]
    with pytest.raises(InputError, match=r'maps.json: no such file; give the number of kinds'):
        ViewMaps(str(folder))
    (folder / 'maps.json').write_text('{"kinds": 4}')
    assert ViewMaps(str(folder)).kinds == 4
    (folder / 'maps.json').write_text('{"kinds": ')
    with pytest.raises(InputError, match=r'maps.json: not readable .*tools/cluster_features.py'):
        ViewMaps(str(folder))
    with pytest.raises(InputError, match='kinds of ViewMaps is a number from 1 to 254, got 0'):
        ViewMaps(str(folder), kinds=0)
    with pytest.raises(InputError, match='put it after ContrastiveViews'):
        ViewMaps(str(folder), 2)(LoadPatch()({'img_path': str(data / 'images' / 'p0.png')}))


def test_a_map_in_the_other_unicode_form(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp('maps')
    composed, decomposed = (unicodedata.normalize(form, 'é') for form in ('NFC', 'NFD'))
    (data / 'images' / 'p0.png').rename(data / 'images' / f'{composed}.png')
    (data / 'list.txt').write_text(composed)
    write_patch(folder / decomposed, np.ones((48, 48), np.uint8))
    maps = dict(type='ViewMaps', folder=str(folder), kinds=2)
    dataset = UnlabelledPatches(str(data), ann_file='list.txt', pipeline=[*PIPELINE[:2], maps])
    assert dataset[0]['evidence'].tolist() == [[0, 1]] * 2


@pytest.mark.parametrize('bands', [1, 2])
def test_imagery_of_one_or_two_bands(tmp_path, bands):
    (tmp_path / 'images').mkdir()
    for number in range(4):
        image = np.random.default_rng(number).integers(0, 40 + 40 * number, (48, 48, bands), np.uint8)
        write_patch(tmp_path / 'images' / f'p{number}', image.squeeze())
    jitter = dict(type='ContrastiveViews', size=16, jitter_prob=0, grey_prob=0)
    pipeline = [dict(type='LoadPatch', bands=bands), jitter, dict(type='ViewAppearance')]
    dataset = UnlabelledPatches(str(tmp_path), pipeline=pipeline)
    assert fit_missing_appearance(dataset) == tmp_path / FILE
    assert Appearance.read(tmp_path / FILE).bands == bands
    assert dataset[0]['evidence'].sum(1) == pytest.approx(1)


def test_maps_as_a_model_writes_them(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp('maps')
    (data / 'images' / 'north').mkdir()
    (data / 'images' / 'p5.png').rename(data / 'images' / 'north' / 'p5.png')
    dataset = UnlabelledPatches(str(data), pipeline=[*PIPELINE[:2], dict(type='ViewMaps', folder=str(folder), kinds=2)])
    write_patch(folder / 'p5', np.ones((48, 48), np.uint8))  # tools/test.py writes all into one folder
    assert dataset[0]['evidence'].tolist() == [[0, 1]] * 2
    (folder / 'north').mkdir()
    write_patch(folder / 'north' / 'p5', np.zeros((48, 48), np.uint8))  # a map in the same folder comes first
    assert dataset[0]['evidence'].tolist() == [[1, 0]] * 2
    with rasterio.open(
        folder / 'p0_classes.tif', 'w', driver='GTiff', height=48, width=48, count=1, dtype='uint8', nodata=255
    ) as raster:
        raster.write(np.ones((1, 48, 48), np.uint8))
    assert dataset[1]['evidence'].tolist() == [[0, 1]] * 2


def placed(data):
    """Describe the patches of ``data`` as cut from two rasters."""
    patches = [
        {'name': f'p{number}', 'source': f'r{number % 2}', 'row': 48 * (number // 2), 'col': 96} for number in range(6)
    ]
    (data / 'dataset.json').write_text(json.dumps({'bands': {'count': 3}, 'patches': patches}))


@pytest.mark.parametrize('packed', [False, True])
def test_the_place_of_every_view(data, packed):
    placed(data)
    if packed:
        pack(data)
    steps = [*PIPELINE[:2], dict(type='ViewPlace')]
    for number, result in enumerate(UnlabelledPatches(str(data), packed=packed, pipeline=steps)):
        assert result['place'].dtype == np.float32
        for (raster, *corners), (top, left, height, width) in zip(result['place'], result['view_windows'], strict=True):
            row, column = 48 * (number // 2), 96
            assert raster == number % 2
            assert corners == [row + top, column + left, row + top + height, column + left + width]


def test_a_place_that_is_unknown(data):
    dataset = UnlabelledPatches(str(data), pipeline=[*PIPELINE[:2], dict(type='ViewPlace')])
    with pytest.raises(InputError, match=r'no dataset.json here or above'):
        dataset[0]
    with pytest.raises(InputError, match='put it after ContrastiveViews'):
        ViewPlace()(LoadPatch()({'img_path': str(data / 'images' / 'p0.png')}))


def test_several_steps_are_packed(data):
    placed(data)
    fit_folder(data, clusters=2).write(data / FILE)
    steps = [*PIPELINE[:2], dict(type=PackInputs, meta_keys=('sample_idx',))]
    evidence = [dict(type='ViewAppearance'), dict(type='ViewPlace')]
    sample = UnlabelledPatches(str(data), pipeline=steps, evidence=evidence)[3]['data_samples']
    assert (sample.evidence.shape, sample.place.shape) == ((2, 2), (2, 5))
    assert 'evidence' not in UnlabelledPatches(str(data), pipeline=steps, evidence=[])[3]['data_samples']
