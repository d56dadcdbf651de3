"""The command ``false-rs``: every tool of this project under one name, from any folder.

``false-rs COMMAND`` runs a file of ``tools/``, in the clone or in the installed package, with the same options. The
table below is all that it knows about the tools. Heavy packages are imported only by the tools themselves.
"""

import argparse
import difflib
import functools
import importlib.util
import os
import re
import sys
from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import NamedTuple

from projects.false.common import command_line
from projects.false.common.command_line import report_input_errors
from projects.false.common.errors import InputError
from projects.false.common.recipes import ROOT, recipe_names


class Command(NamedTuple):
    """A tool as a command.

    Args:
        tool: Its file below ``tools/``.
        summary: What it does, for the list of commands.
    """

    tool: str
    summary: str


# A new tool takes one line here. Commands of two words are listed below their first word.
COMMANDS = {
    'doctor': Command('doctor.py', 'report what is installed, what is wrong with it, and how to mend it'),
    'quickstart': Command('quickstart.py', 'go all the way on synthetic scenes: pretraining, fine-tuning, report'),
    'prepare rasters': Command('dataset_converters/rasters.py', 'cut unlabelled imagery into patches'),
    'prepare color-masks': Command('dataset_converters/color_masks.py', 'cut images with colour masks'),
    'prepare vectors': Command('dataset_converters/vectors.py', 'cut images with labels drawn as polygons'),
    'prepare potsdam': Command('dataset_converters/potsdam.py', 'convert the download of ISPRS Potsdam'),
    'prepare dglc': Command('dataset_converters/dglc.py', 'convert the download of DeepGlobe Land Cover'),
    'prepare flair': Command('dataset_converters/flair.py', 'convert the download of FLAIR #1'),
    'prepare xiangtan': Command('dataset_converters/xiangtan.py', 'convert the Xiangtan data set'),
    'prepare synthetic': Command('dataset_converters/synthetic.py', 'draw synthetic scenes with exact labels'),
    'images': Command('misc/list_images.py', 'name the files of a folder that are taken, and those that are not'),
    'select': Command('select_patches.py', 'choose the patches to label'),
    'split': Command('split.py', 'draw lists of labelled patches'),
    'audit': Command('audit_labels.py', 'check files, labels and splits of a converted data set'),
    'pack': Command('pack.py', 'put the patches of a data set into one array'),
    'appearance': Command('fit_appearance.py', 'fit the clusters by which views look alike'),
    'clusters': Command('cluster_features.py', 'cluster the features of a backbone for further training'),
    'appearance-maps': Command(
        'analysis_tools/map_appearance.py', 'map the clusters of appearance of every patch, or of another one'
    ),
    'browse': Command('misc/browse_dataset.py', 'draw what a recipe feeds to the network'),
    'configs': Command('misc/configs.py', 'list the recipes, or copy one to change it'),
    'print-config': Command('misc/print_config.py', 'print a recipe merged with its bases'),
    'pretrain': Command('train.py', 'pretrain a backbone on unlabelled patches'),
    'finetune': Command('train.py', 'fine-tune a segmentation model on few labels'),
    'test': Command('test.py', 'score a fine-tuned model'),
    'map': Command('infer.py', 'map whole images with a fine-tuned model'),
    'export': Command('export.py', 'export a fine-tuned model to ONNX'),
    'export-backbone': Command('export_backbone.py', 'export the backbone of a pretraining checkpoint'),
    'convert-weights': Command('model_converters/convert_weights.py', 'convert backbone weights between libraries'),
    'assess': Command('assess.py', 'check a map by random places: areas and accuracies with intervals'),
    'calibrate': Command('calibrate.py', 'fit the temperature of the confidence of maps'),
    'publish': Command('publish.py', 'write a folder with weights, config and model card, to share'),
    'report': Command('report.py', 'show what a work folder holds on one page'),
    'benchmark': Command('run_benchmark.py', 'compare methods over seeds, label draws and protocols'),
    'audit-negatives': Command(
        'analysis_tools/audit_false_negatives.py', 'judge determined false negatives by land-cover labels'
    ),
    'curves': Command('analysis_tools/analyze_logs.py', 'plot training curves, or print times, from logs'),
    'completion': Command('misc/completion.py', 'print what completes these commands in your shell'),
}


@report_input_errors
def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status.

    Args:
        arguments: Words after ``false-rs``; those of this process by default.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    if '_ARGCOMPLETE' in os.environ:
        _complete()
    if words[:1] == ['--version']:
        from projects.false import __version__

        print(f'false-rs {__version__}')
        return 0
    name = _command_of(words)
    if name is not None:
        count = len(name.split())
        sys.argv = [f'false-rs {name}', *words[count:]]
        command_line.wording = functools.partial(_in_commands, name=name)
        try:
            return _load(name).main() or 0
        finally:
            command_line.wording = str
    group, asked = ' '.join(words[:1]), words[1:2] in (['-h'], ['--help'])
    if not words or words[0] in ('-h', '--help'):
        print(_overview(), file=sys.stdout if words else sys.stderr)
        return 0 if words else 2
    if any(known.startswith(f'{group} ') for known in COMMANDS) and (len(words) == 1 or asked):
        print(_overview(group), file=sys.stdout if asked else sys.stderr)
        return 0 if asked else 2
    raise InputError(_unknown(words))


def _command_of(words: Sequence[str]) -> str | None:
    """Return the command that these words begin with."""
    return next((name for count in (2, 1) if (name := ' '.join(words[:count])) in COMMANDS), None)


def _load(name: str) -> ModuleType:
    """Import a tool, and make its help name this command instead of files in a clone."""
    path = ROOT / 'tools' / COMMANDS[name].tool
    spec = importlib.util.spec_from_file_location(f'false_rs_tools.{path.stem}', path)
    if spec is None or spec.loader is None or not path.is_file():
        raise InputError(f'{path}: no such tool; install false-rs again')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.__doc__ = _in_commands(module.__doc__ or '', name)
    return module


def _in_commands(text: str, name: str) -> str:
    """Replace every ``tools/FILE.py`` in a text by ``false-rs COMMAND``; ``name`` is the running command."""
    commands: dict[str, str] = {}
    for known in (name, *COMMANDS):  # of two commands that share a tool, the one that runs
        commands.setdefault(COMMANDS[known].tool, known)

    def command(found: re.Match) -> str:
        return f'false-rs {commands[found[1]]}' if found[1] in commands else found[0]

    text = re.sub(r'(?:python )?tools/([\w/]+\.py)', command, text)
    return re.sub(r'tools/dataset_converters(?![\w/])', 'false-rs prepare', text)


def _overview(group: str = '') -> str:
    """Return the help of ``false-rs``, or of the commands that begin with the word ``group``."""
    start = f'{group} ' if group else ''
    names = [name for name in COMMANDS if name.startswith(start)]
    width = max(map(len, names)) + 2
    lines = [
        f'usage: false-rs {start}COMMAND [options]',
        '',
        *(f'  {name:{width}}{COMMANDS[name].summary}' for name in names),
        '',
        f'false-rs {start}COMMAND --help lists the options of a command.',
    ]
    if not group:
        lines += [
            'Recipes go by name from any folder, as in false-rs finetune upernet_r18_mbrsc: see false-rs configs list.',
            'Options: --help, --version',
        ]
    return '\n'.join(lines)


def _unknown(words: Sequence[str]) -> str:
    group = f'{words[0]} ' if any(name.startswith(f'{words[0]} ') for name in COMMANDS) else ''
    word = words[1] if group else words[0]
    near = difflib.get_close_matches(word, [name.removeprefix(group) for name in COMMANDS if name.startswith(group)], 1)
    remedy = f'did you mean {group}{near[0]}?' if near else f'false-rs {group}--help lists all'
    return f'false-rs {group}{word}: no such command; {remedy}'


def _complete() -> None:
    """Answer the shell's request for completions and end this process; see argcomplete's protocol."""
    import argcomplete

    line = os.environ['COMP_LINE'][: int(os.environ['COMP_POINT'])]
    before = line.split()[1:] if line.endswith(' ') else line.split()[1:-1]
    name = _command_of(before)
    if name is None:
        parser = argparse.ArgumentParser(add_help=not before)
        start = len(before) + 1 if before else 1
        known = [known.split() for known in COMMANDS]
        choices = {words[len(before)] for words in known if words[: len(before)] == before and len(words) > len(before)}
        parser.add_argument('command', choices=sorted(choices))
        os.environ['_ARGCOMPLETE'] = str(start)
        argcomplete.autocomplete(parser)

    def answer(parser: argparse.ArgumentParser, *_: object) -> None:
        for action in _actions(parser):
            if action.dest in ('config', 'spec', 'given', 'recipe'):
                action.completer = _complete_config  # type: ignore[attr-defined]
        argcomplete.autocomplete(parser)

    os.environ['_ARGCOMPLETE'] = str(len(str(name).split()) + 1)  # the first word that belongs to the tool
    argparse.ArgumentParser.parse_args = answer  # type: ignore[method-assign,assignment]  # this process only completes
    _load(str(name)).main()


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                yield from _actions(inner)


def _complete_config(prefix: str, **_: object) -> list[str]:
    from argcomplete.completers import FilesCompleter

    names = [name for name in recipe_names() if name.startswith(prefix)]
    return [*names, *FilesCompleter(('py',))(prefix)]


if __name__ == '__main__':
    sys.exit(main())
