import pytest

from projects.false import InputError
from projects.false.reports.page import page, write_page


def test_titles_are_escaped():
    text = page('A & <b>', '<p>lead</p>', [('Part <1>', '<p>one</p>')])
    assert '<h1>A &amp; &lt;b&gt;</h1>' in text
    assert '<h2>Part &lt;1&gt;</h2>\n<p>one</p>' in text


def test_written_whole_and_alone(tmp_path):
    path = tmp_path / 'new' / 'report.html'
    write_page(path, 'old')
    write_page(path, 'nächste')
    assert path.read_text(encoding='utf-8') == 'nächste'
    assert list(path.parent.iterdir()) == [path]


def test_an_error_leaves_the_old_page(tmp_path):
    path = tmp_path / 'report.html'
    write_page(path, 'old')
    with pytest.raises(UnicodeEncodeError):
        write_page(path, '\ud800')
    assert path.read_text() == 'old'
    assert list(tmp_path.iterdir()) == [path]


def test_no_place_to_write(tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(InputError, match=r'file/report.html: cannot be written .* choose another place'):
        write_page(tmp_path / 'file' / 'report.html', 'text')
    (tmp_path / 'folder').mkdir()
    with pytest.raises(InputError, match='folder: cannot be written'):
        write_page(tmp_path / 'folder', 'text')
