"""What maps are for: polygons, styles and cloud-optimised GeoTIFFs, by the model whose answers are known."""

import os
import shutil
import subprocess

import numpy as np
import pyogrio
import pytest
import rasterio
import shapely
from rasterio.features import rasterize

from projects.false.common.errors import InputError
from projects.false.imagery.palettes import to_hex
from projects.false.mapping.map_rasters import map_rasters
from projects.false.mapping.options import MapOptions
from tests.helpers.colour_threshold import ColourThreshold
from tests.helpers.rasters import COEFFICIENTS, checkerboard
from tests.vectors.test_regions import patchy


def scene(height=600, width=700, seed=0):
    """Patches that become classes 0 and 1, and a corner of nodata."""
    classes = patchy(height, width, seed, smooth=6.0, classes=2, nodata=0)
    pixels = np.repeat((classes * 150 + 50)[None], 3, axis=0).astype(np.uint8)
    pixels[:, :60, :80] = 0
    return pixels


def map_one(source, out, **options):
    (mapped,) = map_rasters(ColourThreshold(), [source], out, MapOptions(window=128, overlap=0, **options))
    return mapped


def test_polygons_are_the_map(make_raster, tmp_path):
    source = make_raster(scene(), nodata=0)
    mapped = map_one(source, tmp_path / 'out', polygons=True, confidence=True)
    meta, _, binary, (names, values, areas, confidence) = pyogrio.raw.read(
        tmp_path / 'out/scene_polygons.gpkg', layer='scene_polygons'
    )
    with rasterio.open(mapped.path) as raster:
        classes, transform, crs = raster.read(1), raster.transform, raster.crs
    assert meta['crs'] == f'EPSG:{crs.to_epsg()}'
    burnt = rasterize(
        zip(shapely.from_wkb(binary), values.tolist(), strict=True), classes.shape, 255, transform=transform
    )
    assert (burnt == classes).all()
    assert areas.sum() == pytest.approx((classes != 255).sum() * 0.09)
    assert set(names) == {'class 0', 'class 1'}
    assert (confidence == round(100 * np.e / (np.e + 1))).all()


def test_simplified_polygons_leave_no_gap(make_raster, tmp_path):
    source = make_raster(scene())
    map_one(source, tmp_path / 'out', polygons=True, min_area=5, simplify=0.6)
    _, _, binary, (_, _, areas, _) = pyogrio.raw.read(tmp_path / 'out/scene_polygons.gpkg', layer='scene_polygons')
    polygons = shapely.from_wkb(binary)
    assert shapely.is_valid(polygons).all()
    assert areas.sum() == pytest.approx(600 * 700 * 0.09)
    assert shapely.area(shapely.union_all(polygons)) == pytest.approx(areas.sum())
    assert areas.min() > 3
    assert (tmp_path / 'out/scene_confidence.tif').exists()  # the mean confidence comes from it


def test_a_map_with_its_polygons_is_up_to_date_and_other_options_make_it_again(make_raster, tmp_path):
    source, out = make_raster(scene(100, 120)), tmp_path / 'out'
    assert map_one(source, out).counts is not None
    (out / 'scene_classes.qml').unlink()  # as in maps that are older than styles
    assert map_one(source, out).counts is None
    assert (out / 'scene_classes.qml').is_file()
    assert map_one(source, out, polygons=True).counts is not None
    assert map_one(source, out, polygons=True).counts is None
    assert map_one(source, out, polygons=True, simplify=1).counts is not None
    (out / 'scene_polygons.gpkg').write_bytes(b'')
    assert map_one(source, out, polygons=True, simplify=1).counts is not None
    assert map_one(source, out, polygons=True, simplify=1).counts is None
    assert [path.name for path in out.glob('.*.tmp*')] == []


@pytest.mark.parametrize('place', ['crs', 'gcps', 'rpcs', 'none'])
@pytest.mark.filterwarnings('ignore::rasterio.errors.NotGeoreferencedWarning')
def test_maps_are_cloud_optimised(make_raster, tmp_path, place):
    corners = ((0, 0), (0, 700), (600, 0))
    points = [rasterio.control.GroundControlPoint(row, col, 10 + col / 5e3, 50 - row / 5e3) for row, col in corners]
    profile = {
        'crs': {},
        'gcps': {'transform': None, 'crs': 'EPSG:4326', 'gcps': points},
        'rpcs': {'transform': None, 'crs': None, 'rpcs': COEFFICIENTS},
        'none': {'transform': None, 'crs': None},
    }
    validate = pytest.importorskip('rio_cogeo').cog_validate
    source = make_raster(scene(), **profile[place])
    mapped = map_one(source, tmp_path / 'out', confidence=True)
    for path in (mapped.path, tmp_path / 'out/scene_confidence.tif'):
        valid, errors, warnings = validate(path, strict=True)
        assert (valid, errors, warnings) == (True, [], [])
        with rasterio.open(path) as raster, rasterio.open(source) as image:
            assert raster.tags(ns='IMAGE_STRUCTURE')['LAYOUT'] == 'COG'
            assert raster.tags()['SOURCE'] == 'scene.tif'
            assert (raster.crs, raster.transform, raster.rpcs) == (image.crs, image.transform, image.rpcs)
            assert len(raster.gcps[0]) == len(image.gcps[0])
    with rasterio.open(mapped.path) as raster:
        assert raster.colormap(1)[0][:3] == ColourThreshold().palette.colors[0]


def test_polygons_need_a_transform(make_raster, tmp_path):
    points = [
        rasterio.control.GroundControlPoint(row, col, 10 + col, 50 - row) for row, col in ((0, 0), (0, 40), (40, 0))
    ]
    source = make_raster(checkerboard(40, 40), transform=None, crs='EPSG:4326', gcps=points)
    with pytest.raises(
        InputError, match=r'scene\.tif: has control points or RPCs and no transform.*gdalwarp scene\.tif'
    ):
        map_one(source, tmp_path / 'out', polygons=True)
    assert list((tmp_path / 'out').glob('scene*')) == []


QGIS = """
import os, sys
from qgis.PyQt.QtXml import QDomDocument
from qgis.core import QgsApplication, QgsRasterLayer, QgsVectorLayer
application = QgsApplication([], False)
application.initQgis()
raster = QgsRasterLayer(sys.argv[1], 'map')
print(raster.renderer().type(), *(f'{c.label}:{c.color.name()}' for c in raster.renderer().classes()), sep='|')
vector = QgsVectorLayer(sys.argv[2], 'polygons', 'ogr')
bare = QgsVectorLayer('Polygon?field=class:string', 'bare', 'memory')
document = QDomDocument()
document.setContent(open(sys.argv[2].replace('.gpkg', '.qml'), encoding='utf-8').read())
assert bare.importNamedStyle(document)[0]
for layer in (vector, bare):
    renderer = layer.renderer()
    print(renderer.type(), *(f'{c.label()}:{c.symbol().color().name()}' for c in renderer.categories()), sep='|')
sys.stdout.flush()
os._exit(0)
"""


def test_qgis_shows_names_and_colours(make_raster, tmp_path):
    python = '/usr/bin/python3'
    environment = {key: value for key, value in os.environ.items() if not key.startswith('PYTHON')}
    environment['QT_QPA_PLATFORM'] = 'offscreen'
    known = shutil.which(python) and subprocess.run(
        [python, '-c', 'import qgis.core'], capture_output=True, env=environment, check=False
    )
    if not known or known.returncode:
        pytest.skip('QGIS is not installed: apt-get install python3-qgis qgis-providers')
    mapped = map_one(make_raster(scene(100, 120)), tmp_path / 'out', polygons=True)
    command = [python, '-c', QGIS, str(mapped.path), str(tmp_path / 'out/scene_polygons.gpkg')]
    said = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120, check=False)
    palette = ColourThreshold().palette
    names = [f'{name}:{to_hex(color).lower()}' for name, color in zip(palette.classes, palette.colors, strict=True)]
    polygons = '|'.join(['categorizedSymbol', *names])
    assert said.stdout.splitlines() == ['|'.join(['paletted', *names]), polygons, polygons], said.stderr
