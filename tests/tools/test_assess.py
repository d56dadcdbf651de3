"""tools/assess.py by its command line: draw, fill in, assess."""

import json

import numpy as np
from pyogrio.raw import read, write

from tests.helpers.class_maps import made_classes, write_map
from tests.helpers.tools import main_of


def test_draw_fill_in_and_assess(tmp_path, capsys):
    classes = made_classes(120, 160)
    path, out = str(write_map(tmp_path / 'a_classes.tif', classes)), str(tmp_path / 'check')
    assess = main_of('assess')
    assert assess([path, '--sample', '60', '--out', out, '--allocation', 'equal']) == 0
    said = capsys.readouterr().out
    assert 'water 20, field 20, Wald, dicht 20' in said
    assert '--image adds pictures' in said
    assert assess([path, '--sample', '60', '--out', out]) == 2
    assert 'may be filled in' in capsys.readouterr().err
    file = tmp_path / 'check' / 'places.gpkg'
    meta, _, points, columns = read(file)
    table = dict(zip(meta['fields'], columns, strict=True))
    names = np.array(['water', 'field', 'Wald, dicht'], object)[classes[table['row'], table['column']]]
    names[:3] = None
    table['reference'] = names
    write(file, points, list(table.values()), list(table), geometry_type='Point', crs=meta['crs'], driver='GPKG')
    assert assess([path, str(file), '--out', out, '--level', '0.9']) == 0
    said = capsys.readouterr().out
    assert 'overall accuracy 100.0 ± 0.0 % (intervals of 90%)' in said
    assert '3 places without a class or outside the map are left out' in said
    content = json.loads((tmp_path / 'check' / 'assessment.json').read_text())
    assert np.array(content['matrix']['counts']).sum() == 57


def test_mistakes_are_one_line(tmp_path, capsys):
    path = str(write_map(tmp_path / 'a_classes.tif', made_classes(20, 20)))
    for arguments, message in {
        (): 'give --sample N to draw places to check, or REFERENCE',
        ('--sample', '10'): '--sample writes places.gpkg; give a folder for it with --out',
        ('--sample', '0', '--out', 'b'): '--sample must be an integer of at least 1',
        (path, '--image', path): '--image is for the pictures of new places',
        (path, '--level', '95'): '--level 95.0: give a confidence level from 0.5 to 0.9999',
    }.items():
        assert main_of('assess')([path, *arguments]) == 2
        assert message in capsys.readouterr().err
