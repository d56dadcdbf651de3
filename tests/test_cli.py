"""The command ``false-rs``, by its function and in a real shell."""

import os
import re
import shutil
import subprocess
import sys

import pytest

from projects.false import __version__, cli
from projects.false.common import command_line
from tests.helpers.tools import REPOSITORY

HEAVY = {'torch', 'mmcv', 'mmengine', 'mmseg', 'mmpretrain', 'rasterio', 'matplotlib', 'cv2', 'numpy', 'rich'}
TOOLS = {path.relative_to(REPOSITORY / 'tools').as_posix() for path in (REPOSITORY / 'tools').rglob('*.py')}

# Runs commands one after the other in a fresh interpreter; prints what they print, their status, and what is imported.
CALL = """
import sys
from projects.false.cli import COMMANDS, main
for name in ['', 'prepare', *COMMANDS]:
    print(f'== {name}')
    try:
        status = main([*name.split(), '--help'])
    except SystemExit as exit:
        status = exit.code or 0
    print(f'status {status}')
print('imported', *{name.split('.')[0] for name in sys.modules})
"""


def test_every_tool_is_a_command():
    """A new tool takes one line of COMMANDS."""
    assert {command.tool for command in cli.COMMANDS.values()} == TOOLS


def test_names_have_at_most_two_words_and_no_group_is_a_command():
    assert all(len(name.split()) <= 2 for name in cli.COMMANDS)
    groups = {name.split()[0] for name in cli.COMMANDS if ' ' in name}
    assert groups & cli.COMMANDS.keys() == set()


def test_help_of_every_command_imports_nothing_heavy_and_speaks_of_commands():
    done = subprocess.run([sys.executable, '-c', CALL], cwd=REPOSITORY, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    helps, _, imported = done.stdout.rpartition('imported')
    assert set(imported.split()) & HEAVY == set()
    overview, *pages = re.split(r'^== ', helps, flags=re.MULTILINE)[1:]
    assert all(summary in overview for _, summary in cli.COMMANDS.values())
    for page in (overview, *pages):
        name = page.partition('\n')[0]
        assert f'usage: false-rs {name}'.strip() in page
        assert page.endswith('status 0\n')
        assert 'python tools/' not in page


@pytest.mark.parametrize(
    ('words', 'said'),
    [
        (['trian'], 'error: false-rs trian: no such command; did you mean pretrain?\n'),
        (['--helpp'], 'error: false-rs --helpp: no such command; false-rs --help lists all\n'),
        (['prepare', 'rastrs'], 'error: false-rs prepare rastrs: no such command; did you mean prepare rasters?\n'),
        (['prepare', 'rastrs', '--help'], 'error: false-rs prepare rastrs: no such command; did you mean prepare r'),
        (['prepare', 'nonsense', '-h'], 'error: false-rs prepare nonsense: no such command; false-rs prepare --help'),
        (['pretrain', 'gone.py'], 'error: gone.py: no such config; the recipes are in configs/\n'),
        (['test', 'upernet_r18_mbrs', 'x'], 'error: upernet_r18_mbrs: no such config; did you mean'),
        (['prepare'], 'usage: false-rs prepare COMMAND [options]\n'),
        ([], 'usage: false-rs COMMAND [options]\n'),
    ],
)  # fmt: skip
def test_mistakes_end_in_one_line_or_the_list(words, said, capsys, monkeypatch):
    monkeypatch.setattr(sys, 'argv', ['false-rs'])
    assert cli.main(words) == 2
    out, err = capsys.readouterr()
    assert (out, err.startswith(said)) == ('', True)


def test_errors_name_commands_and_not_tools(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(sys, 'argv', ['false-rs'])
    (tmp_path / 'dataset.json').write_text('{')
    assert cli.main(['split', str(tmp_path), '--fractions', '0.5']) == 2
    assert 'false-rs prepare' in capsys.readouterr().err
    assert command_line.wording is str


def test_version_and_list_of_recipes(capsys, monkeypatch):
    monkeypatch.setattr(sys, 'argv', ['false-rs'])
    assert cli.main(['--version']) == 0
    assert cli.main(['configs', 'list', 'r50_potsdam_released']) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0] == f'false-rs {__version__}'
    assert out[1].startswith('false_simclr_r50_potsdam_released  FALSE')


@pytest.fixture(scope='module')
def shell(tmp_path_factory):
    """Ask bash, with the printed code, for the completions of a line."""
    if shutil.which('bash') is None:
        pytest.skip('bash is not installed')
    folder = tmp_path_factory.mktemp('shell')
    program = folder / 'false-rs'
    code = f'import sys; sys.path.insert(0, {str(REPOSITORY)!r}); from projects.false.cli import main; sys.exit(main())'
    program.write_text(f'#!{sys.executable}\n{code}\n')
    program.chmod(0o755)
    environment = os.environ | {'PATH': f'{folder}{os.pathsep}{os.environ["PATH"]}'}

    def completions(*lines):
        asked = ''.join(
            f'COMP_LINE={line!r}; COMP_POINT=${{#COMP_LINE}}; COMP_TYPE=9; COMPREPLY=();'
            f' _python_argcomplete false-rs; echo "${{COMPREPLY[@]}}"\n'
            for line in lines
        )
        script = f'eval "$(false-rs completion bash)"\n{asked}'
        done = subprocess.run(['bash', '-c', script], env=environment, cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return [line.split() for line in done.stdout.splitlines()]

    return completions


def test_bash_completes_commands_options_values_and_recipes(shell):
    found = shell(
        'false-rs pre',
        'false-rs prepare ',
        'false-rs pretrain --re',
        'false-rs prepare potsdam --bands ',
        'false-rs finetune upernet_r18_m',
        'false-rs configs copy benchmarks/q',
    )
    commands, converters, *others = found
    assert sorted(commands) == ['prepare', 'pretrain']
    assert sorted(converters) == sorted(name.split()[1] for name in cli.COMMANDS if name.startswith('prepare '))
    assert others == [['--resume'], ['rgb', 'irrg', 'rgbir'], ['upernet_r18_mbrsc'], ['benchmarks/quickstart']]
