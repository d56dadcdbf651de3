"""What bands leave on the disk comes back, and only finished bands count."""

import numpy as np
import pytest

from projects.false.common.errors import InputError
from projects.false.mapping.bands.band_files import BandFiles, Work, remove_bands
from projects.false.mapping.windows import WindowPlan

PLAN = WindowPlan(20, 50, 8, 0.5, band=16)


def written(folder, number):
    """Write a band, a row of windows at a time; return its files, rows and seams."""
    files = BandFiles(folder / 'map.tif', 'f' * 20, PLAN, 3, ('classes',))
    band, generator = PLAN.bands[number], np.random.default_rng(number)
    rows = generator.integers(0, 3, (20, band.right - band.left), dtype=np.uint8)
    seams = generator.random((len(PLAN.rows), 3, 8, band.seam), np.float32)
    with files.writing(number) as writer:
        for row, first in enumerate(PLAN.rows):
            part = rows[first : first + PLAN.finished_rows(row)]
            writer.write({'classes': part, 'seam': seams[row]})
        assert number not in files.finished()
        writer.work = Work(7, number)
    return files, rows, seams


def test_rows_and_seams_come_back(tmp_path):
    rows = []
    for number, band in enumerate(PLAN.bands):
        files, found, seams = written(tmp_path, number)
        rows.append(found)
        if band.seam:
            read = files.inherited(number + 1)
            assert all((read(row) == seam).all() for row, seam in enumerate(seams))
    assert (files.read('classes', 3, 9, slice(5, 47)) == np.concatenate(rows, axis=1)[3:12, 5:47]).all()
    assert files.finished().keys() == set(range(len(PLAN.bands)))
    assert files.total() == (7 * len(rows), sum(range(len(rows))))
    assert not list(files.folder.glob('*.seam'))
    files.remove()
    assert not files.folder.exists()


def test_a_seam_that_is_not_whole_is_refused(tmp_path):
    files, _, _ = written(tmp_path, 0)
    (seam,) = files.folder.glob('0.seam')
    seam.write_bytes(seam.read_bytes()[:-4])
    with pytest.raises(InputError, match=r'0\.seam: is not whole'):
        files.inherited(1)(len(PLAN.rows) - 1)


def test_only_bands_of_other_maps_are_removed(tmp_path):
    files, _, _ = written(tmp_path, 0)
    other = tmp_path / f'.map.tif.{"0" * 16}.bands'
    for folder in (other, tmp_path / 'mine.bands'):
        folder.mkdir()
    remove_bands(tmp_path, {files.folder})
    assert {path.name for path in tmp_path.iterdir()} == {files.folder.name, 'mine.bands'}
