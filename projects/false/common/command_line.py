"""Shared by all command-line tools: errors that the user can mend in one line, and ``--cfg-options``."""

import argparse
import copy
import functools
import hashlib
import json
import os
import re
import select
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from .errors import InputError
from .files import write_text
from .published import find_checkpoint, published_folder
from .recipes import find_config

# How messages are put before they are printed; the command false-rs names its commands where they name tools.
wording: Callable[[str], str] = str


def user_message(error: BaseException) -> str | None:
    """Find the message meant for the user in an exception and everything that caused it.

    MMEngine's registries wrap an error in one sentence per level of the config, and a data loader worker hands over its
    whole traceback as text. Both still carry the original :class:`InputError` message.

    Args:
        error: Any exception.

    Returns:
        The innermost user message as one line, or None if no :class:`InputError` is behind the exception.
    """
    found = None
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        if isinstance(current, InputError):
            found = str(current)
        current = current.__cause__ or current.__context__
    if found is None:
        return None
    worker_text = re.findall(r'InputError: (.+)', found, flags=re.DOTALL)
    return ' '.join((worker_text[-1] if worker_text else found).split())


def report(message: str) -> None:
    """Print the line of a user error once for all processes of a torchrun on this machine that fail with it.

    A process may also fail alone, so every distinct text is printed. The first process with a text marks that in the
    folder where torchrun keeps its processes' error files. The message goes into the error file, too, since torchrun
    quotes it at the very end, below its own traceback.
    """
    line, file = f'error: {wording(message)}', os.environ.get('TORCHELASTIC_ERROR_FILE')
    if file and Path(file).parent.is_dir():  # torchrun removes its folder when it ends
        try:
            said = {'message': line, 'extraInfo': {'py_callstack': line, 'timestamp': str(int(time.time()))}}
            write_text(file, json.dumps({'message': said}))  # whole or absent: torchrun may read it at any moment
            mark = hashlib.sha256(message.encode(errors='replace')).hexdigest()
            Path(file).parents[1].joinpath(f'said_{mark}').touch(exist_ok=False)
        except FileExistsError:
            return
        except OSError:
            pass  # a line too many is better than none
    print(line, file=sys.stderr)


def report_input_errors(main: Callable[..., int | None]) -> Callable[..., int]:
    """Decorate a tool's ``main`` so that user errors become ``error: ...`` on stderr and exit status 2.

    Any other exception passes through with its traceback: it is a bug, not bad input. Ctrl-C ends with status 130. A
    reader that closes the output, such as ``head``, ends the tool with status 141 and without a word.
    """

    @functools.wraps(main)
    def wrapped(*args: Any, **kwargs: Any) -> int:
        try:
            status = main(*args, **kwargs) or 0
            print(end='', flush=True)
            return status
        except KeyboardInterrupt:
            print('interrupted', file=sys.stderr)
            return 130
        except BrokenPipeError:
            if not _reader_is_gone():
                raise
            return 141
        except Exception as error:
            message = user_message(error)
            if message is None:
                raise
            report(message)
            return 2

    return wrapped


def _reader_is_gone() -> bool:
    """Return True if nobody reads the output any more; what is still to be written then goes nowhere."""
    gone = False
    for stream in (sys.stdout, sys.stderr):
        pipe = select.poll()
        pipe.register(stream, 0)  # errors are told in any case
        if pipe.poll(0):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
            gone = True
    return gone


def check_config(path: str | Path) -> None:
    """Refuse a config that does not exist; tools call this before they import anything heavy.

    Raises:
        InputError: There is neither such a file nor a recipe of that name.
    """
    find_config(path)


def check_checkpoint(path: str | Path) -> None:
    """Refuse a checkpoint that does not exist; ``~`` is expanded, and a published model stands for its weights.

    Raises:
        InputError: There is no such file.
    """
    find_checkpoint(path)


def split_given(given: Sequence[str]) -> tuple[str, str, list[str]]:
    """Split ``CONFIG CHECKPOINT INPUT...`` or ``MODEL INPUT...``; a published model is config and checkpoint in one.

    Raises:
        InputError: There is no input, or the model is incomplete.
    """
    count = 1 if published_folder(given[0]) is not None else 2
    if len(given) <= count:
        raise InputError('give CONFIG CHECKPOINT INPUT..., MODEL INPUT..., or --onnx FILE INPUT...')
    return given[0], given[count - 1], list(given[count:])


def check_data_root(path: str | Path) -> None:
    """Refuse a data folder that does not exist.

    Raises:
        InputError: There is no such folder.
    """
    if not Path(path).is_dir():
        raise InputError(f'{path}: no such folder; give a folder made by tools/dataset_converters')


def check_source(path: str | Path) -> None:
    """Refuse an input file or folder that does not exist.

    Raises:
        InputError: There is neither.
    """
    if not Path(path).exists():
        raise InputError(f'{path}: no such file or folder; check the path')


_PAIRS = {'(': ')', '[': ']'}


class ConfigOptions(argparse.Action):
    """Collect ``KEY=VALUE`` into a dict, as MMEngine's ``DictAction`` does.

    Numbers, ``True``, ``False`` and ``None`` become values, ``a,b`` and ``[a,b]`` a list, ``(a,b)`` a tuple, nested to
    any depth. Unlike in MMEngine, spaces within a string stay (paths may have some), and text in quotes is one string
    whatever it contains: ``data_root='"/data/Potsdam, RGB"'`` for a shell.
    """

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        """Add the given arguments; one without ``=`` or with unpaired brackets ends in the usage message."""
        options = copy.copy(getattr(namespace, self.dest, None) or {})
        for text in [values] if isinstance(values, str) else values or ():
            key, equals, value = text.partition('=')
            if not equals or not key:
                parser.error(f'{option_string} {text}: give KEY=VALUE')
            try:
                options[key] = parse_value(value)
            except ValueError as error:
                parser.error(f'{option_string} {text}: {error}')
        setattr(namespace, self.dest, options)


def parse_value(text: str) -> object:
    """Return the value that a text represents.

    Raises:
        ValueError: Brackets or quotes do not pair up.
    """
    text = text.strip()
    if _is_quoted(text):
        inner = text[1:-1]
        return parse_value(inner) if _is_bracketed(inner) else inner
    if _is_bracketed(text):
        values = [parse_value(part) for part in _split(text[1:-1])]
        return tuple(values) if text[0] == '(' else values
    parts = _split(text) if ',' in text else [text]
    return _scalar(text) if parts == [text] else [parse_value(part) for part in parts]


def as_option(key: str, value: object) -> str:
    """Return ``KEY=VALUE`` for a value that is one string, such as a path, in quotes if it needs them.

    Raises:
        InputError: It needs quotes and holds both kinds.
    """
    text = str(value)
    for sent in (text, f'"{text}"', f"'{text}'"):
        try:
            if parse_value(sent) == text:
                return f'{key}={sent}'
        except ValueError:
            continue
    raise InputError(f'{text}: has both kinds of quotes in it, which no option can pass on; choose another name')


def _scalar(text: str) -> object:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return {'true': True, 'false': False}.get(text.lower(), None if text == 'None' else text)


def _is_quoted(text: str) -> bool:
    return len(text) > 1 and text[0] in '\'"' and text.find(text[0], 1) == len(text) - 1


def _is_bracketed(text: str) -> bool:
    """Return True if the first character opens a bracket that the last one closes."""
    if len(text) < 2 or _PAIRS.get(text[0]) != text[-1]:
        return False
    return all(depth for _, depth in _depths(text[:-1]))


def _split(text: str) -> list[str]:
    """Return the parts between commas outside brackets and quotes; a trailing comma adds none."""
    parts, begin, depth = [], 0, 0
    for place, depth in _depths(text):
        if text[place] == ',' and not depth:
            parts.append(text[begin:place])
            begin = place + 1
    if depth:
        raise ValueError('a bracket or quote is not closed; put text that holds one in quotes of the other kind')
    return [*parts, text[begin:]] if text[begin:].strip() else parts


def _depths(text: str) -> Iterator[tuple[int, int]]:
    """Yield the place and depth of every character: how many brackets and quotes are open after it."""
    opened: list[str] = []
    for place, character in enumerate(text):
        if opened and opened[-1] in '\'"':
            if character == opened[-1]:
                opened.pop()
        elif (character in '\'"' and (not place or text[place - 1] in '=,([ ')) or character in _PAIRS:
            opened.append(character)
        elif character in _PAIRS.values() and (not opened or _PAIRS[opened.pop()] != character):
            raise ValueError(f'{character!r} closes nothing; put text that holds one in quotes')
        yield place, len(opened)
