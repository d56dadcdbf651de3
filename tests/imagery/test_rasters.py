"""Every reader opens a raster by the driver that its suffix names."""

import ast
import json
import subprocess
import sys

import numpy as np
import pytest
import rasterio
from rasterio.control import GroundControlPoint
from rasterio.enums import ColorInterp

from projects.false import InputError
from projects.false.imagery.images import read_image, read_index_mask, read_mask, read_valid_image, write_patch
from projects.false.imagery.palettes import PALETTES
from projects.false.imagery.pixels import has_masks, read_window
from projects.false.imagery.rasters import choose_bands, inspect_rasters, open_handle, open_raster, patch_transform
from tests.helpers.rasters import COEFFICIENTS
from tests.helpers.tools import REPOSITORY

VRT = """<VRTDataset rasterXSize="8" rasterYSize="8">
  <VRTRasterBand dataType="Byte" band="1"><SimpleSource>
    <SourceFilename relativeToVRT="1">other.tif</SourceFilename><SourceBand>1</SourceBand>
  </SimpleSource></VRTRasterBand>
</VRTDataset>"""


@pytest.fixture
def disguised(tmp_path):
    """A virtual raster named .tif that stands for another file."""
    profile = dict(driver='GTiff', height=8, width=8, count=1, dtype='uint8')
    with rasterio.open(tmp_path / 'other.tif', 'w', **profile) as raster:
        raster.write(np.ones((1, 8, 8), np.uint8))
    path = tmp_path / 'disguised.tif'
    path.write_text(VRT)
    with rasterio.open(path) as raster:  # GDAL itself looks at the content and opens the other file
        assert raster.read().all()
    return path


@pytest.mark.parametrize(
    'read',
    [
        lambda path: read_image(path, 1),
        lambda path: read_index_mask(path, 2),
        lambda path: read_mask(path, PALETTES['mbrsc']),
        lambda path: inspect_rasters([path]),
        lambda path: open_handle(path),
        lambda path: open_raster(path).__enter__(),
    ],
)
def test_a_virtual_raster_named_tif_is_refused(disguised, read):
    with pytest.raises(InputError, match=r'disguised\.tif: cannot be read as a raster .*not what its suffix says'):
        read(disguised)


def test_other_suffixes_are_refused(tmp_path):
    with pytest.raises(InputError, match=r'a\.hdr: is none of GeoTIFF, .*gdal_translate'):
        open_handle(tmp_path / 'a.hdr')


def test_errors_of_later_reads_name_the_file(tmp_path):
    path = write_patch(tmp_path / 'a', np.random.default_rng(0).integers(0, 256, (64, 64, 4), np.uint8))
    path.write_bytes(path.read_bytes()[:-3000])
    with pytest.raises(InputError, match=r'a\.tif: cannot be read as a raster'), open_raster(path) as raster:
        raster.read()


def test_no_module_lets_gdal_choose_the_driver():
    opened = []
    for path in sorted((REPOSITORY / 'projects').rglob('*.py')):
        for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == 'rasterio.open':
                named = any(keyword.arg == 'driver' for keyword in node.keywords)
                writes = len(node.args) > 1 and ast.unparse(node.args[1]) == "'w'"
                opened.append(path.name)
                assert named or writes, f'{path}:{node.lineno}'
    assert 'rasters.py' in opened


def test_png_patches_need_no_rasterio(tmp_path):
    write_patch(tmp_path / 'a', np.zeros((4, 4, 3), np.uint8))
    write_patch(tmp_path / 'm', np.zeros((4, 4), np.uint8))
    code = (
        'import sys; sys.modules["rasterio"] = None\n'
        'from projects.false.imagery.images import read_image, read_index_mask, write_patch\n'
        'from projects.false.patch_folder.lists import list_images\n'
        'from pathlib import Path\n'
        'read_image("a.png"), read_index_mask("m.png", 1), list_images(Path("."))'
    )
    environment = {'PYTHONPATH': str(REPOSITORY), 'PATH': ''}
    subprocess.run([sys.executable, '-c', code], cwd=tmp_path, env=environment, check=True)


def test_transform_of_a_patch():
    transform = patch_transform([0.5, 0.1, 100.0, -0.2, -0.5, 200.0], row=10, col=20)
    expected = rasterio.Affine(0.5, 0.1, 100.0, -0.2, -0.5, 200.0) @ (20, 10)
    assert transform[2] == pytest.approx(expected[0])
    assert transform[5] == pytest.approx(expected[1])


def test_near_infrared_that_is_labelled_as_transparency_is_no_transparency(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (4, 20, 20), np.uint8)
    profile = dict(driver='GTiff', height=20, width=20, count=4, dtype='uint8', photometric='RGB', alpha='YES')
    coast = np.zeros((20, 20), np.uint8)  # near infrared is dark over water
    coast[0] = pixels[3, 0]
    bands = {
        'nir.tif': pixels[3],
        'alpha.tif': np.where(pixels[3] > 99, 255, 0),
        'water.tif': coast * 0,
        'coast.tif': coast,
        'dark.tif': pixels[3] % 3,
        'corner.tif': np.where(coast, 255, 0),
    }
    for name, last in bands.items():
        with rasterio.open(tmp_path / name, 'w', **profile) as raster:
            raster.write(np.concatenate([pixels[:3], last[None]]).astype(np.uint8))
    nir, alpha, *others = inspect_rasters([tmp_path / name for name in bands])
    assert (nir.alpha, alpha.alpha) == (False, True)
    assert [raster.alpha for raster in others] == [False, False, False, True]
    with open_raster(tmp_path / 'water.tif') as raster:
        assert read_window(raster, (1, 2, 3), 0, 0, 20, 20)[1].all()
    with pytest.raises(InputError, match=r'nir\.tif: has 4 band\(s\), 3 are usual; say which .*--bands 1 2 3'):
        choose_bands([nir], None)
    assert choose_bands([alpha], None) == (1, 2, 3)
    with pytest.raises(InputError, match=r'nir\.tif: has 4 band\(s\), 3 are needed'):
        read_image(nir.path)
    shown = np.where(pixels[3] > 99, pixels[:3], 0)
    np.testing.assert_array_equal(read_image(alpha.path)[..., ::-1], np.moveaxis(shown, 0, -1))
    with open_raster(nir.path) as raster:
        assert read_window(raster, (1, 2, 3), 0, 0, 20, 20)[1].all()


def test_transparency_beside_more_than_three_bands(tmp_path):
    pixels = np.random.default_rng(0).integers(1, 255, (4, 20, 20), np.uint8)
    alpha = np.full((20, 20), 255, np.uint8)
    alpha[:, :8] = 0
    path = tmp_path / 'a.tif'
    with rasterio.open(path, 'w', driver='GTiff', height=20, width=20, count=5, dtype='uint8') as raster:
        raster.colorinterp = [ColorInterp.undefined] * 4 + [ColorInterp.alpha]
        raster.write(np.concatenate([pixels, alpha[None]]))
    inspected = inspect_rasters([path])
    assert inspected[0].alpha
    for bands in ((1, 2, 3), (1, 2, 3, 4)):
        with open_raster(path) as raster:
            assert has_masks(raster, bands)
            np.testing.assert_array_equal(read_window(raster, bands, 0, 0, 20, 20)[1], alpha > 0)
            coarse = read_window(raster, bands, 0, 0, 20, 20, (5, 5))[1]
        np.testing.assert_array_equal(coarse, np.arange(5)[None] >= np.full((5, 1), 2))
    with open_raster(path) as raster:
        assert read_window(raster, (1, 5), 0, 0, 20, 20)[1].all()  # asked for as a band
    image, valid = read_valid_image(path, 4)
    np.testing.assert_array_equal(valid, alpha > 0)
    np.testing.assert_array_equal(image, np.where(valid, pixels[[2, 1, 0, 3]], 0).transpose(1, 2, 0))
    with pytest.raises(InputError, match=r'has 4 band\(s\) and transparency \(band 5\), .* or all: --bands 1 2 3 4$'):
        choose_bands(inspected, None)


def test_georeference_keeps_control_points_and_coefficients(tmp_path):
    profile = dict(driver='GTiff', height=8, width=8, count=1, dtype='uint8')
    points = [
        GroundControlPoint(0, 0, 5e5, 58e5),
        GroundControlPoint(8, 0, 5e5, 57e5),
        GroundControlPoint(0, 8, 6e5, 58e5),
    ]
    with rasterio.open(tmp_path / 'g.tif', 'w', gcps=points, crs='EPSG:32633', **profile) as raster:
        raster.write(np.ones((1, 8, 8), np.uint8))
    with rasterio.open(tmp_path / 'r.tif', 'w', rpcs=COEFFICIENTS, **profile) as raster:
        raster.write(np.ones((1, 8, 8), np.uint8))
    first, second = inspect_rasters([tmp_path / 'g.tif', tmp_path / 'r.tif'])
    assert first.place['gcps'] == [[0, 0, 5e5, 58e5, 0], [8, 0, 5e5, 57e5, 0], [0, 8, 6e5, 58e5, 0]]
    assert first.place['gcps_crs'] == 'EPSG:32633'
    assert second.place['rpcs']['lat_off'] == COEFFICIENTS.lat_off
    assert json.loads(json.dumps(second.place)) == second.place
