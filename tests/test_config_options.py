"""Values of ``--cfg-options``: as MMEngine's own action has them, except that strings stay as they are."""

import argparse

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mmengine.config import DictAction

from projects.false import InputError
from projects.false.common.command_line import ConfigOptions, as_option, parse_value

scalars = st.one_of(
    st.integers().map(str),
    st.floats(allow_nan=False).map(str),
    st.sampled_from(['True', 'false', 'None', 'none', 'a.b_c', '/data/x', '1e-3', '-2', "it's"]),
    st.from_regex(r'[A-Za-z_/.][\w/.-]{0,8}', fullmatch=True).filter(lambda text: text.lower() != 'nan'),
)


def bracketed(children):
    parts = st.lists(children, min_size=1, max_size=4).map(','.join)
    return st.one_of(parts.map('[{}]'.format), parts.map('({})'.format))


@given(st.recursive(scalars, bracketed, max_leaves=8))
def test_values_are_those_of_mmengine(text):
    ours, theirs = parse_value(text), DictAction._parse_iterable(text)
    assert (ours, type(ours)) == (theirs, type(theirs))


@given(st.lists(scalars, min_size=2, max_size=4).map(','.join))
def test_lists_without_brackets_are_those_of_mmengine(text):
    assert parse_value(text) == DictAction._parse_iterable(text)


@pytest.mark.parametrize(
    ('text', 'value'),
    [
        ('/home/me/My Project/data', '/home/me/My Project/data'),
        ('"/data/Potsdam, RGB (2)"', '/data/Potsdam, RGB (2)'),
        ("'a,b'", 'a,b'),
        ('"3"', '3'),
        ('[ a b , "c,d", (1, 2) ]', ['a b', 'c,d', (1, 2)]),
        ('"[1, 2]"', [1, 2]),
        ('a,', ['a']),
        ('[]', []),
        ('', ''),
        ('(1,2),(3,4)', [(1, 2), (3, 4)]),
        ('scene (copy', 'scene (copy'),
    ],
)
def test_spaces_stay_and_quotes_protect(text, value):
    assert parse_value(text) == value


@given(
    st.text(st.characters(exclude_categories=['Cs', 'Cc']), min_size=1).flatmap(
        lambda text: st.sampled_from([f'/{text}/x', text.strip(), f'{text}.pth'])
    )
)
def test_paths_arrive_as_they_were_sent(path):
    try:
        sent = as_option('data_root', path)
    except InputError:
        assert '"' in path
        assert "'" in path
        return
    key, _, value = sent.partition('=')
    assert (key, parse_value(value)) == ('data_root', path)


def parser():
    made = argparse.ArgumentParser()
    made.add_argument('--cfg-options', nargs='+', action=ConfigOptions)
    return made


def test_options_add_up_and_later_ones_count():
    found = parser().parse_args(['--cfg-options', 'a.b=1', 'c=x=y', '--cfg-options', 'a.b=2']).cfg_options
    assert found == {'a.b': 2, 'c': 'x=y'}


@pytest.mark.parametrize('text', ['key', '=3', 'key=[1,(2]', 'key=a),b', 'key="a,b'])
def test_what_is_no_option_is_named(text, capsys):
    with pytest.raises(SystemExit) as ending:
        parser().parse_args(['--cfg-options', text])
    assert ending.value.code == 2
    assert f'--cfg-options {text}: ' in capsys.readouterr().err
