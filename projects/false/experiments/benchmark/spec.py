"""The spec of a benchmark: methods, seeds, label draws, fractions and protocols, read and checked."""

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from projects.false.common.errors import InputError
from projects.false.common.recipes import find_config
from projects.false.engine.config import load_config

PARTS = ('val', 'test')
_NAME = re.compile(r'[A-Za-z0-9][A-Za-z0-9_.+-]*')
_KEYS = {
    'methods', 'baseline', 'protocols', 'seeds', 'draws', 'fractions', 'data', 'budget', 'part', 'tiers', 'title',
}  # fmt: skip


@dataclass(frozen=True)
class Recipe:
    """A config and the changes to it.

    Attributes:
        config: Path of the file.
        options: Changes by dotted key, as in ``--cfg-options``; values may also be dicts.
    """

    config: str
    options: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Spec:
    """A benchmark.

    Attributes:
        name: Name of the config file.
        methods: Initialization of the backbone, by name: a :class:`Recipe` to pretrain by, a file of weights, or None
            for random weights.
        baseline: The method that the others are compared with.
        protocols: Recipes to fine-tune and test by, by name.
        seeds: Seeds of pretraining, or of the random weights, at least one, from 0 to 999999.
        draws: Seeds of the lists of labelled patches, at least one, from 0 to 999.
        fractions: Shares of the training patches that are labelled, in (0, 1].
        data_root: Folder as a converter writes it; ``{work}`` in it stands for the work folder.
        prepare: Commands that make the data if it is missing: a tool and its arguments, with ``{work}`` and, for
            ``data_root``, ``{data}``.
        epochs: Length of every pretraining; None leaves it to the recipes.
        iterations: Length of every fine-tuning; None leaves it to the recipes.
        part: Part of the data to test on unless the command line names another: ``val`` or ``test``.
        tiers: Groups of methods, by name.
        title: Title of the report.
    """

    name: str
    methods: Mapping[str, Recipe | str | None]
    baseline: str
    protocols: Mapping[str, Recipe]
    seeds: tuple[int, ...]
    draws: tuple[int, ...]
    fractions: tuple[float, ...]
    data_root: str
    prepare: tuple[tuple[str, ...], ...] = ()
    epochs: int | None = None
    iterations: int | None = None
    part: str = 'test'
    tiers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    title: str = ''

    def with_paths(self, folder: Path) -> 'Spec':
        """Return the spec with the paths ``{work}`` and ``{data}`` filled in."""
        root = self.data_root.replace('{work}', str(folder))
        values = {'{work}': str(folder), '{data}': root}
        commands = [
            tuple(re.sub(r'\{work\}|\{data\}', lambda mark: values[mark[0]], part) for part in command)
            for command in self.prepare
        ]
        return replace(self, data_root=root, prepare=tuple(commands))


def choose_methods(spec: Spec, chosen: Sequence[str]) -> tuple[str, ...]:
    """Return the methods that the command line names, singly or by tier, in the order of the spec.

    No name means all. The baseline is always included.

    Raises:
        InputError: A name belongs to neither a method nor a tier.
    """
    wanted = {spec.baseline}
    for name in chosen or spec.methods:
        if name not in spec.methods and name not in spec.tiers:
            known = ', '.join([*spec.methods, *spec.tiers])
            raise InputError(f'--methods {name}: no method and no tier of {spec.name}; choose from {known}')
        wanted.update(spec.tiers.get(name, (name,)))
    return tuple(name for name in spec.methods if name in wanted)


def choose_protocols(spec: Spec, chosen: Sequence[str]) -> Spec:
    """Return the spec with only the protocols that the command line names; no name means all.

    Raises:
        InputError: There is no protocol of this name.
    """
    for name in chosen:
        if name not in spec.protocols:
            known = ', '.join(spec.protocols)
            raise InputError(f'--protocols {name}: no protocol of {spec.name}; choose from {known}')
    wanted = set(chosen or spec.protocols)
    return replace(spec, protocols={name: recipe for name, recipe in spec.protocols.items() if name in wanted})


def read_spec(path: str, options: dict | None = None) -> Spec:
    """Read the config of a benchmark.

    Args:
        path: Config file, such as ``configs/benchmarks/quickstart.py``.
        options: ``--cfg-options``.

    Raises:
        InputError: The file is missing or not a spec, or a value in it is invalid; the message names it.
    """
    config = load_config(path, options)
    given = {key: value for key, value in config.to_dict().items() if key not in ('launcher', 'work_dir')}
    unknown = sorted(given.keys() - _KEYS)
    if unknown:
        raise InputError(f'{path}: unknown key {unknown[0]!r}; a benchmark has {", ".join(sorted(_KEYS))}')
    reader = _Reader(path, given)
    methods = reader.named('methods')
    protocols = reader.named('protocols')
    budget = reader.table('budget', ('epochs', 'iterations'))
    data = reader.table('data', ('root', 'prepare'))
    spec = Spec(
        name=Path(path).stem,
        methods={name: reader.method(name, value) for name, value in methods.items()},
        baseline=reader.baseline(methods),
        protocols={name: reader.recipe(f'protocols.{name}', value) for name, value in protocols.items()},
        seeds=reader.numbers('seeds', int, 0, 999_999),
        draws=reader.numbers('draws', int, 0, 999),
        fractions=reader.numbers('fractions', float, 0, 1),
        data_root=reader.data_root(data.get('root')),
        prepare=reader.commands(data.get('prepare') or ()),
        epochs=budget.get('epochs'),
        iterations=budget.get('iterations'),
        part=given.get('part', 'test'),
        tiers={name: tuple(members) for name, members in reader.named('tiers', required=False).items()},
        title=given.get('title') or f'Benchmark {Path(path).stem}',
    )
    _check(path, spec)
    return spec


class _Reader:
    """Reads the values of a spec, each with its check."""

    def __init__(self, path: str, given: dict) -> None:
        self.path, self.given = path, given

    def table(self, key: str, known: tuple[str, ...]) -> dict:
        value = self.given.get(key) or {}
        if not isinstance(value, dict):
            raise InputError(f'{self.path}: {key} is {value!r}; give dict({"=..., ".join(known)}=...)')
        unknown = sorted(value.keys() - set(known))
        if unknown:
            raise InputError(f'{self.path}: unknown key {unknown[0]!r} in {key}; it has {", ".join(known)}')
        return value

    def named(self, key: str, required: bool = True) -> dict:
        value = self.given.get(key)
        if not isinstance(value, dict) or not value:
            if not required and not value:
                return {}
            raise InputError(f'{self.path}: {key} is {value!r}; give dict(NAME=...) with at least one name')
        for name in value:
            if not _NAME.fullmatch(name):
                raise InputError(f'{self.path}: {key} has the name {name!r}; use letters, digits, _ . + and -')
        return value

    def baseline(self, methods: Mapping[str, object]) -> str:
        value = self.given.get('baseline')
        if not isinstance(value, str) or value not in methods:
            raise InputError(f'{self.path}: baseline {value!r} is not a method; choose from {", ".join(methods)}')
        return value

    def data_root(self, value: object) -> str:
        if not isinstance(value, str) or not value:
            raise InputError(f'{self.path}: data.root is {value!r}; give the folder that a converter made')
        return value

    def commands(self, lines: object) -> tuple[tuple[str, ...], ...]:
        if not isinstance(lines, list | tuple) or not all(isinstance(line, str) and line for line in lines):
            raise InputError(
                f'{self.path}: data.prepare is {lines!r}; give a list of texts, a tool and its arguments each'
            )
        return tuple(tuple(shlex.split(line)) for line in lines)

    def method(self, name: str, value: object) -> Recipe | str | None:
        if value is None:
            return None
        if isinstance(value, str):
            if '://' not in value and not Path(value).is_file():
                raise InputError(
                    f'{self.path}: methods.{name}: no such file of weights: {value}; give dict(config=...) to '
                    'pretrain, a file of weights, or None for random ones'
                )
            return value
        return self.recipe(f'methods.{name}', value)

    def recipe(self, key: str, value: object) -> Recipe:
        if not isinstance(value, dict) or 'config' not in value:
            raise InputError(f'{self.path}: {key} is {value!r}; give dict(config=FILE, options=dict(...))')
        unknown = sorted(value.keys() - {'config', 'options'})
        if unknown:
            raise InputError(f'{self.path}: unknown key {unknown[0]!r} in {key}; it has config and options')
        options = value.get('options') or {}
        if not isinstance(options, dict):
            raise InputError(f'{self.path}: {key}.options is {options!r}; give a dict with dotted keys')
        try:
            return Recipe(str(find_config(value['config']).resolve()), options)
        except InputError as error:
            raise InputError(f'{self.path}: {key}: {error}') from error

    def numbers(self, key: str, kind: type, low: float, high: float) -> tuple:
        values = self.given.get(key)
        values = values if isinstance(values, list | tuple) else [values]
        fits = [type(value) in (kind, int) and low <= value <= high and (value or kind is int) for value in values]
        if not values or not all(fits):
            wrong = [value for value, fit in zip(values, fits, strict=True) if not fit] or [values]
            start = 'above' if kind is float else 'from'
            raise InputError(f'{self.path}: {key} holds {wrong[0]!r}; give a list of numbers {start} {low} to {high}')
        if len(set(values)) != len(values):
            raise InputError(f'{self.path}: {key} names a value twice: {list(values)}')
        return tuple(kind(value) for value in values)


def _check(path: str, spec: Spec) -> None:
    if spec.part not in PARTS:
        raise InputError(f'{path}: part is {spec.part!r}; choose {" or ".join(PARTS)}')
    for key, value in (('epochs', spec.epochs), ('iterations', spec.iterations)):
        if value is not None and (type(value) is not int or value < 1):
            raise InputError(f'{path}: budget.{key} is {value!r}; give a whole number of at least 1')
    for tier, members in spec.tiers.items():
        unknown = [name for name in members if name not in spec.methods]
        if unknown:
            raise InputError(f'{path}: tiers.{tier} names {unknown[0]!r}, which is not a method')
        if tier in spec.methods:
            raise InputError(f'{path}: tiers.{tier} has the name of a method; give it another')
