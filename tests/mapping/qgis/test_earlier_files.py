"""Files of the user that have the names of a map's files stay, and what a map or a killed run left is replaced."""

import numpy as np
import pyogrio
import pytest
import rasterio
import shapely

from projects.false.common.errors import InputError
from projects.false.mapping import map_files
from projects.false.mapping.map_rasters import map_rasters
from projects.false.mapping.options import MapOptions
from tests.helpers.colour_threshold import ColourThreshold
from tests.helpers.rasters import checkerboard


def map_one(source, out, thresholds=(128,), **options):
    (mapped,) = map_rasters(ColourThreshold(thresholds), [source], out, MapOptions(**options))
    return mapped


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file() and path.name != '.lock'}


@pytest.fixture
def own_files(make_raster, tmp_path):
    """An image, and beside it what its owner drew, counted and computed."""
    source = make_raster(checkerboard(70, 60))
    make_raster(checkerboard(70, 60)[:1], 'scene_confidence.tif')
    (tmp_path / 'scene_areas.csv').write_text('my own\n')
    (tmp_path / 'scene_preview.png').write_bytes(b'my own')
    shapes = shapely.to_wkb(shapely.box([0], [0], [1], [1]))
    drawn = tmp_path / 'scene_polygons.gpkg'
    pyogrio.raw.write(drawn, shapes, [np.array(['a'])], ['class'], crs='EPSG:32633', geometry_type='Polygon')
    return source


@pytest.mark.parametrize('overwrite', [False, True])
def test_a_first_map_leaves_files_alone_that_it_does_not_write(own_files, tmp_path, overwrite):
    before = contents(tmp_path)
    assert map_one(own_files, tmp_path, overwrite=overwrite).counts is not None
    assert before.items() <= contents(tmp_path).items()


@pytest.mark.parametrize(
    ('option', 'name'),
    [
        ('confidence', 'confidence.tif'),
        ('areas', 'areas.csv'),
        ('preview', 'preview.png'),
        ('polygons', 'confidence.tif'),
    ],
)
def test_files_of_the_user_are_not_written_over(own_files, tmp_path, option, name):
    before = contents(tmp_path)
    message = rf'scene_{name}: exists and is of no map; move it, or give another --out or --overwrite$'
    with pytest.raises(InputError, match=message):
        map_one(own_files, tmp_path, **{option: True})
    assert contents(tmp_path) == before
    assert map_one(own_files, tmp_path, **{option: True}, overwrite=True).counts is not None
    assert map_one(own_files, tmp_path, **{option: True}).counts is None


def test_polygons_of_the_user_beside_a_map_are_not_written_over(own_files, tmp_path):
    (tmp_path / 'scene_confidence.tif').unlink()
    map_one(own_files, tmp_path)
    with pytest.raises(InputError, match=r'scene_polygons\.gpkg: exists and is of no map'):
        map_one(own_files, tmp_path, polygons=True)


def test_another_map_takes_only_its_own_polygons_with_it(own_files, tmp_path):
    drawn = (tmp_path / 'scene_polygons.gpkg').read_bytes()
    map_one(own_files, tmp_path)
    map_one(own_files, tmp_path, (200,), overwrite=True)
    assert (tmp_path / 'scene_polygons.gpkg').read_bytes() == drawn


def test_a_killed_run_of_another_model_is_replaced(make_raster, tmp_path, monkeypatch):
    source, out, write = make_raster(checkerboard(70, 60)), tmp_path / 'out', map_files._write

    def killed(path, data):
        write(path, data)
        if path.name.endswith(last):
            raise KeyboardInterrupt

    options = {'areas': True, 'preview': True, 'polygons': True}
    for last in ('_classes.qml', '_areas.csv', '_polygons.qml'):
        monkeypatch.setattr(map_files, '_write', killed)
        with pytest.raises(KeyboardInterrupt):
            map_one(source, out, (60, 200), **options)
        monkeypatch.undo()
        left = last != '_classes.qml'
        assert (out / 'scene_areas.csv').exists() == left
        thresholds = (60, 128) if last == '_classes.qml' else (128,)  # its style is known by its classes
        assert map_one(source, out, thresholds).counts is not None
        assert not (out / 'scene_areas.csv').exists()
        for path in out.glob('scene_*'):
            path.unlink()


@pytest.mark.parametrize('overwrite', [False, True])
def test_an_image_is_not_replaced_by_the_map_of_another(make_raster, tmp_path, overwrite):
    sources = [make_raster(checkerboard(40, 40), name) for name in ('scene.tif', 'scene_classes.tif')]
    before, model = contents(tmp_path), ColourThreshold()
    message = r'scene_classes\.tif: is an image to map and a file of the map .*; give another --out'
    with pytest.raises(InputError, match=message):
        list(map_rasters(model, sources, tmp_path, MapOptions(overwrite=overwrite)))
    assert contents(tmp_path) == before
    assert model.batches == []
    with pytest.raises(InputError, match='exists and was made from another image'):
        map_one(sources[0], tmp_path)
    map_one(sources[0], tmp_path, overwrite=True)
    with rasterio.open(sources[1]) as raster:
        assert raster.count == 1
