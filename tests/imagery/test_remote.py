"""GeoTIFFs on a real web server on this machine, read in parts, and never without leave."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import rasterio

from projects.false.common.errors import InputError
from projects.false.imagery.rasters import find_rasters, inspect_rasters
from projects.false.imagery.remote import gdal_name, is_remote, is_url, remote_path, remote_state
from projects.false.mapping.map_rasters import map_rasters
from projects.false.mapping.options import MapOptions
from tests.helpers.colour_threshold import ColourThreshold, expected_classes
from tests.helpers.rasters import checkerboard


@pytest.fixture
def server(tmp_path, monkeypatch):
    """``server.url`` of a folder, ``server.asked`` for its requests; it answers ranges."""
    for name in ('NO_PROXY', 'no_proxy'):
        monkeypatch.setenv(name, '127.0.0.1')
    monkeypatch.setenv('GDAL_HTTP_MAX_RETRY', '0')
    folder = tmp_path / 'web'
    folder.mkdir()

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self):
            self.answer(body=False)

        def do_GET(self):
            self.answer(body=True)

        def answer(self, body):
            self.server.asked.append(self.path)
            path = folder / self.path.lstrip('/')
            if not path.is_file():
                self.send_error(404)
                return
            data = path.read_bytes()
            first, last = 0, len(data) - 1
            asked = self.headers.get('Range')
            if asked:
                start, _, stop = asked.removeprefix('bytes=').partition('-')
                first, last = int(start), min(int(stop or last), last)
            self.send_response(206 if asked else 200)
            if asked:
                self.send_header('Content-Range', f'bytes {first}-{last}/{len(data)}')
                self.server.sent += last + 1 - first
            self.send_header('Content-Length', str(last + 1 - first))
            self.send_header('ETag', f'"{path.stat().st_mtime_ns}"')
            self.end_headers()
            if body:
                self.wfile.write(data[first : last + 1])

        def log_message(self, *arguments):
            pass

    web = ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    web.asked, web.sent, web.folder, web.url = [], 0, folder, f'http://127.0.0.1:{web.server_address[1]}'
    thread = threading.Thread(target=web.serve_forever)
    thread.start()
    yield web
    web.shutdown()
    thread.join()
    web.server_close()


def test_a_remote_image_is_mapped_like_a_local_one(server, make_raster, tmp_path):
    pixels = checkerboard(300, 400)
    make_raster(pixels, 'web/scene.tif', tiled=True, blockxsize=128, blockysize=128)
    url, options = f'{server.url}/scene.tif', MapOptions(window=128, allow_remote=True)
    (mapped,) = map_rasters(ColourThreshold(), [url], tmp_path / 'out', options)
    with rasterio.open(mapped.path) as raster, rasterio.open(tmp_path / 'web/scene.tif') as source:
        assert (raster.read(1) == expected_classes(pixels[0])).all()
        assert (raster.crs, raster.transform) == (source.crs, source.transform)
    assert mapped.path == tmp_path / 'out/scene_classes.tif'
    assert set(server.asked) == {'/scene.tif'}  # no file beside it
    (again,) = map_rasters(ColourThreshold(), [url], tmp_path / 'out', options)
    assert again.counts is None


def test_only_parts_are_read(server, make_raster):
    pixels = np.random.default_rng(0).integers(0, 255, (3, 600, 2000), dtype=np.uint8)
    make_raster(pixels, 'web/part.tif', tiled=True, blockxsize=64, blockysize=64, interleave='pixel')
    (raster,) = inspect_rasters(find_rasters([f'{server.url}/part.tif'], remote=True).paths)
    assert (raster.stem, raster.height, raster.width) == ('part', 600, 2000)
    assert server.sent < 0.2 * pixels.size


def test_nothing_is_asked_without_leave(server, tmp_path):
    with pytest.raises(InputError, match=r'/a\.tif: is a web address; give --allow-remote'):
        next(iter(map_rasters(ColourThreshold(), [f'{server.url}/a.tif'], tmp_path / 'out')))
    assert server.asked == []


def test_what_the_server_does_not_give_is_named(server):
    (server.folder / 'b.tif').write_bytes(b'<html>moved</html>' * 100)
    for name in ('a.tif', 'b.tif'):
        with pytest.raises(InputError, match=rf'^http://127\.0\.0\.1:\d+/{name}: cannot be read over the network \('):
            inspect_rasters(find_rasters([f'{server.url}/{name}'], remote=True).paths)
    with pytest.raises(InputError, match=r'cannot be read over the network .*404'):
        remote_state(remote_path(f'{server.url}/a.tif', allowed=True))


@pytest.mark.parametrize(
    'address', ['https://a.org/a.jpg', 'https://a.org/a.tif?key=1', 'http://a.org/', 'https://a.org/a.vrt']
)
def test_other_addresses_are_refused(address):
    with pytest.raises(InputError, match=r'is no plain address of a GeoTIFF \(\.tif\); download the file'):
        remote_path(address, allowed=True)


def test_names():
    path = remote_path('https://a.org/x/y z.tif', allowed=True)
    assert is_remote(remote_path('https://a.org/a.tif', allowed=True))
    assert not is_remote(Path('/vsicurl/a.tif'))
    assert gdal_name(remote_path('https://a.org:80/x/a.tif', allowed=True)) == '/vsicurl/https://a.org:80/x/a.tif'
    assert gdal_name(Path('a/b.tif')) == 'a/b.tif'
    assert (is_url('https://a'), is_url('a/https://b'), is_url(Path('a')), path.stem) == (True, False, False, 'y z')
