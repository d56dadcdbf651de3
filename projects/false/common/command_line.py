"""``--cfg-options KEY=VALUE``, as MMEngine reads them, but without changing strings: spaces stay, quotes protect."""

import argparse
import copy
from collections.abc import Iterator

from projects.false.errors import InputError

_PAIRS = {'(': ')', '[': ']'}


class ConfigOptions(argparse.Action):
    """Collect ``KEY=VALUE`` into a dict, as MMEngine's ``DictAction`` does.

    Numbers, ``True``, ``False`` and ``None`` become values, ``a,b`` and ``[a,b]`` a list, ``(a,b)`` a tuple, nested as
    deep as one likes. Unlike there, a space within a string stays (paths have some), and text in quotes is one string
    whatever it contains: ``data_root='"/data/Potsdam, RGB"'`` for a shell.
    """

    def __call__(self, parser, namespace, values, option_string=None) -> None:
        """Add what was given; an argument without ``=`` or with a bracket too many ends in the usage message."""
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
    """The value that a text stands for.

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
    """``KEY=VALUE`` for a value that is one string, such as a path, in quotes if it needs them.

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
    """Whether the first character opens what the last one closes."""
    if len(text) < 2 or _PAIRS.get(text[0]) != text[-1]:
        return False
    return all(depth for _, depth in _depths(text[:-1]))


def _split(text: str) -> list[str]:
    """Parts between the commas outside brackets and quotes; nothing after a last comma."""
    parts, begin, depth = [], 0, 0
    for place, depth in _depths(text):
        if text[place] == ',' and not depth:
            parts.append(text[begin:place])
            begin = place + 1
    if depth:
        raise ValueError('a bracket or quote is not closed; put text that holds one in quotes of the other kind')
    return [*parts, text[begin:]] if text[begin:].strip() else parts


def _depths(text: str) -> Iterator[tuple[int, int]]:
    """Place and depth of every character: how many brackets and quotes are open after it."""
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
