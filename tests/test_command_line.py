import json

import pytest

from projects.false import InputError
from projects.false.common.command_line import report_input_errors, user_message


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
