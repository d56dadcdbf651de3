"""The pages as a browser shows them; FALSE_REQUIRE_BROWSER=1 makes a missing browser a failure."""

import os
import re
import shutil
import subprocess

import cv2
import numpy as np
import pytest

from projects.false.experiments.benchmark.page import write_benchmark_page
from projects.false.experiments.quickstart_page import write_quickstart_page
from tests.helpers.finished_benchmark import content

BROWSERS = ('chromium', 'chromium-browser', 'google-chrome')

FLAGS = [
    '--headless',
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    '--hide-scrollbars',
]
pytestmark = pytest.mark.slow


@pytest.fixture(scope='session')
def chromium():
    found = [path for name in BROWSERS if (path := shutil.which(name))]
    if not found:
        reason = f'none of {", ".join(BROWSERS)} is on the PATH; install one (apt-get install chromium)'
        if os.environ.get('FALSE_REQUIRE_BROWSER') == '1':
            pytest.fail(reason)
        pytest.skip(reason)
    return found[0]


@pytest.fixture(params=['quickstart', 'benchmark', 'many methods'])
def browse(request, chromium, finished, tmp_path):
    """``browse(*arguments)`` opens the page of a quickstart, of a benchmark, or of a benchmark of nine methods."""
    path = tmp_path / 'report.html'
    if request.param == 'quickstart':
        write_quickstart_page(path, finished.runs, finished.data_root, finished.palette, {'seed': '0'})
    else:
        methods = ('random', 'FALSE', 'SimCLR', *(f'a_method_{number}' for number in range(6)))
        write_benchmark_page(path, content(finished, methods if request.param == 'many methods' else methods[:3]))

    def run(*arguments, page=path):
        profile = tmp_path / 'profile'
        shutil.rmtree(profile, ignore_errors=True)
        command = [chromium, *FLAGS, f'--user-data-dir={profile}', *arguments, page.as_uri()]
        return subprocess.run(command, capture_output=True, text=True, timeout=600, check=True)

    run.tables, run.pictures = {
        'quickstart': (6, 25),
        'benchmark': (6, 25),
        'many methods': (12, 55),
    }[request.param]
    return run


def screenshot(browse, tmp_path, *arguments):
    path = tmp_path / 'screenshot.png'
    browse('--window-size=1000,2400', f'--screenshot={path}', *arguments)
    return cv2.imread(str(path))


def test_the_page_is_drawn(browse, tmp_path, finished):
    picture = screenshot(browse, tmp_path)
    assert picture.shape == (2400, 1000, 3)
    assert (picture[:10] == 255).all()
    for color in finished.palette.colors[:3]:
        assert (picture == color[::-1]).all(2).sum() > 1000  # masks and swatches
    assert len(np.unique(picture.astype(np.int32) @ [65536, 256, 1])) > 1000  # the images


def test_dark_where_the_reader_wants_it(browse, tmp_path):
    dark = screenshot(browse, tmp_path, '--blink-settings=preferredColorScheme=0')
    assert dark[:10].max() < 50
    assert dark.max() > 200


def test_tables_and_pictures_are_there(browse):
    result = browse('--dump-dom')
    assert result.stdout.count('<table') == result.stdout.count('</table>') == browse.tables
    assert len(re.findall(r'<img [^>]*src="data:image/png', result.stdout)) == browse.pictures
    assert 'roof &lt;tin&gt; &amp; tile' in result.stdout
    assert 'Content Security Policy' not in result.stderr


def test_nothing_is_wider_than_a_phone(browse, tmp_path):
    # A browser window cannot be as narrow as a phone, but a frame can; its content must not be wider than it.
    outer = tmp_path / 'phone.html'
    outer.write_text(
        '<body style="margin:0;background:#f0f"><iframe src="report.html" style="width:400px;height:4000px;border:0" '
        'onload="const d=this.contentDocument.documentElement;document.title=d.scrollWidth"></iframe>'
    )
    result = browse('--allow-file-access-from-files', '--virtual-time-budget=5000', '--dump-dom', page=outer)
    assert re.search(r'<title>(\d+)</title>', result.stdout)[1] == '400'
