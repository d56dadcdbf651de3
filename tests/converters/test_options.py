import argparse

import pytest

from projects.false import InputError
from projects.false.converters.arguments import add_cut_options
from projects.false.converters.options import CutOptions, band_names, take_cut_options
from projects.false.imagery.palettes import PALETTES


def test_patches_lie_side_by_side_unless_a_stride_is_given():
    assert CutOptions(32).step == 32
    assert CutOptions(32, stride=8).step == 8
    assert CutOptions(32).arguments(PALETTES['mbrsc'], ['grey'])['stride'] == 32


@pytest.mark.parametrize(
    ('options', 'text'),
    [
        ({'patch_size': 0}, 'patch size is 0'),
        ({'stride': 33}, 'stride is 33'),
        ({'label_fractions': (0,)}, 'label fraction is 0'),
        ({'seed': -1}, 'seed is -1'),
        ({'workers': 0}, 'workers is 0'),
        ({'shrink': 0}, 'shrink is 0'),
    ],
)
def test_values_out_of_range(options, text):
    with pytest.raises(InputError, match=text):
        CutOptions(**{'patch_size': 32, **options})


def test_the_command_line_gives_the_same_options():
    parser = argparse.ArgumentParser()
    add_cut_options(parser, patch_size=256)
    options = {**vars(parser.parse_args(['--stride', '64', '--workers', '2', '--shrink', '3'])), 'out': 'data'}
    assert take_cut_options(options) == CutOptions(256, 64, [0.01], workers=2, shrink=3)
    assert options == {'out': 'data'}


def test_band_names():
    assert [band_names(count) for count in (1, 2)] == [('grey',), ('grey', 'band 2')]
    assert band_names(4) == ('red', 'green', 'blue', 'band 4')
