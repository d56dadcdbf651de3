"""Values of ``--cfg-options``: as MMEngine's own action has them, except that strings stay as they are."""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mmengine.config import DictAction

from projects.false import InputError
from projects.false.common.command_line import (
    ConfigOptions,
    as_option,
    parse_value,
    report,
    report_input_errors,
    user_message,
)
from tests.helpers.tools import REPOSITORY

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


def wrapped():
    try:
        try:
            raise InputError('a.png: is damaged; replace it')
        except InputError as error:
            raise InputError(f'class `FALSE`: {error}') from error
    except InputError as error:
        raise RuntimeError('building failed') from error


def test_the_innermost_message_is_the_user_s():
    with pytest.raises(RuntimeError) as caught:
        wrapped()
    assert user_message(caught.value) == 'a.png: is damaged; replace it'


def test_message_out_of_a_worker_s_traceback():
    text = 'Caught InputError in DataLoader worker process 0.\nTraceback ...\nx.errors.InputError: b.tif: 4 bands\n'
    assert user_message(InputError(text)) == 'b.tif: 4 bands'


def test_status_and_one_line(capsys):
    def bad():
        raise InputError('two\nlines')

    assert report_input_errors(bad)() == 2
    assert capsys.readouterr().err == 'error: two lines\n'
    assert report_input_errors(lambda: None)() == 0


def test_bugs_keep_their_traceback():
    with pytest.raises(ZeroDivisionError):
        report_input_errors(lambda: 1 / 0)()


def test_interruption(capsys):
    def stopped():
        raise KeyboardInterrupt

    assert report_input_errors(stopped)() == 130
    assert capsys.readouterr().err == 'interrupted\n'


@pytest.mark.parametrize('all_of_it', [True, False])
def test_a_reader_that_closes_the_output_ends_the_tool_quietly(tmp_path, all_of_it):
    """As in ``list_images.py FOLDER | head -1``; with ``2>&1``, nobody reads errors either."""
    for number in range(2000):
        (tmp_path / f'{"long" * 20}_{number}.png').touch()
    tool = [sys.executable, 'tools/misc/list_images.py', str(tmp_path)]
    errors = subprocess.STDOUT if all_of_it else subprocess.PIPE
    with subprocess.Popen(tool, stdout=subprocess.PIPE, stderr=errors, cwd=REPOSITORY) as process:
        process.stdout.readline()
        process.stdout.close()
        assert all_of_it or process.stderr.read() == b''
        assert process.wait() == 141


def test_a_broken_pipe_elsewhere_is_a_bug():
    @report_input_errors
    def main():
        raise BrokenPipeError('of a worker')

    with pytest.raises(BrokenPipeError, match='of a worker'):
        main()


def test_processes_that_fail_alike_say_it_once(monkeypatch, capsys, tmp_path):
    """As torchrun starts them: each has an error file in a folder of its own, side by side in one of the attempt."""

    def process(number, message):
        def bad():
            raise InputError(message)

        file = tmp_path / str(number) / 'error.json'
        file.parent.mkdir()
        monkeypatch.setenv('TORCHELASTIC_ERROR_FILE', str(file))
        assert report_input_errors(bad)() == 2
        assert json.loads(file.read_text())['message']['message'] == f'error: {message}'
        return capsys.readouterr().err

    assert process(0, 'no data') == 'error: no data\n'
    assert process(1, 'no data') == ''
    assert process(2, 'disk full on this one') == 'error: disk full on this one\n'


def test_an_error_file_that_cannot_be_written_hides_nothing(monkeypatch, capsys, tmp_path):
    def bad():
        raise InputError('no data')

    monkeypatch.setenv('TORCHELASTIC_ERROR_FILE', str(tmp_path / 'gone' / '0' / 'error.json'))
    assert report_input_errors(bad)() == 2
    assert capsys.readouterr().err == 'error: no data\n'
    assert not (tmp_path / 'gone').exists()


def test_torchrun_never_reads_half_an_error_file(monkeypatch, tmp_path):
    """torchrun reads the files of all processes as soon as one of them ends."""
    file, seen = tmp_path / '0' / 'error.json', []
    file.parent.mkdir()
    replace = os.replace

    def watched(source, target):
        assert not file.exists()
        seen.append(json.loads(Path(source).read_text())['message']['message'])
        replace(source, target)

    monkeypatch.setattr('projects.false.common.files.os.replace', watched)
    monkeypatch.setenv('TORCHELASTIC_ERROR_FILE', str(file))
    report('no data')
    assert seen == ['error: no data']
