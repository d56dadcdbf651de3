"""The spec of a benchmark: methods, seeds, label draws, fractions and protocols, read and checked."""

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from projects.false.common.errors import InputError
from projects.false.common.recipes import find_config
from projects.false.engine.config import load_config

PARTS = ('val', 'test')
_NAME = re.compile(r'[A-Za-z0-9][A-Za-z0-9_.+-]*')
_SELECTIONS = ('typical', 'coverage')
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

    def filled_in(self, values: Mapping[str, object]) -> tuple[str, 'Recipe']:
        """Fill in the marks of the options, such as ``{draw}``, for a pretraining that depends on the labelled patches.

        Args:
            values: Value of every mark by name.

        Returns:
            The marks that occur, with their values, as part of a name (``'@draw3'``), and the recipe without marks.
        """
        used: set[str] = set()

        def fill(value: object) -> object:
            if isinstance(value, dict):
                return {key: fill(inner) for key, inner in value.items()}
            if isinstance(value, list | tuple):
                return type(value)(map(fill, value))
            if isinstance(value, str):
                for mark, filling in values.items():
                    if f'{{{mark}}}' in value:
                        used.add(mark)
                        value = value.replace(f'{{{mark}}}', str(filling))
            return value

        options = {key: fill(value) for key, value in self.options.items()}
        return ''.join(f'@{mark}{values[mark]}' for mark in values if mark in used), Recipe(self.config, options)


@dataclass(frozen=True)
class Method:
    """A method: the start of its backbone, and its other differences from the rest.

    Attributes:
        recipe: What pretrains the backbone; None without pretraining.
        weights: File of weights; None without. With neither, weights are random.
        like: Method whose pretraining this one shares; None for its own.
        fine_tuning: Changes to every protocol by dotted key, such as another backbone.
        select: How tools/select_patches.py chooses the labelled patches by the features of the backbone; None takes
            the random draws.
    """

    recipe: Recipe | None = None
    weights: str | None = None
    like: str | None = None
    fine_tuning: Mapping[str, object] = field(default_factory=dict)
    select: str | None = None


@dataclass(frozen=True)
class Spec:
    """A benchmark.

    Attributes:
        name: Name of the config file.
        methods: The methods by name.
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
    methods: Mapping[str, Method]
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

    def pretrained_as(self, method: str) -> str | None:
        """Return the method whose pretraining a method uses, often itself; None if nothing is pretrained."""
        owner = self.methods[method].like or method
        return owner if self.methods[owner].recipe else None

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
        tiers={name: reader.names(name, value) for name, value in reader.named('tiers', required=False).items()},
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

    def method(self, name: str, value: object) -> Method:
        key = f'methods.{name}'
        if value is None or isinstance(value, str):
            return Method(weights=self.weights(key, value))
        if not isinstance(value, dict):
            raise InputError(
                f'{self.path}: {key} is {value!r}; give dict(config=...) to pretrain, a file of weights, or None for '
                'random ones'
            )
        others = {word: value[word] for word in ('weights', 'like', 'fine_tuning', 'select') if word in value}
        rest = {word: value[word] for word in value.keys() - others.keys()}
        starts = [word for word in ('config', 'weights', 'like') if value.get(word) is not None]
        if len(starts) > 1:
            raise InputError(f'{self.path}: {key} has {" and ".join(starts)}; give one of them')
        recipe = self.recipe(key, rest) if rest or not others else None
        chosen = others.get('select')
        if chosen is not None and chosen not in _SELECTIONS:
            raise InputError(f'{self.path}: {key}.select is {chosen!r}; choose {" or ".join(_SELECTIONS)}')
        return Method(
            recipe,
            self.weights(key, others.get('weights')),
            others.get('like'),
            self.options(f'{key}.fine_tuning', others.get('fine_tuning') or {}),
            chosen,
        )

    def weights(self, key: str, value: object) -> str | None:
        if value is not None and (not isinstance(value, str) or ('://' not in value and not Path(value).is_file())):
            raise InputError(
                f'{self.path}: {key}: no such file of weights: {value}; give dict(config=...) to '
                'pretrain, a file of weights, or None for random ones'
            )
        return value

    def options(self, key: str, value: object) -> Mapping[str, object]:
        if not isinstance(value, dict):
            raise InputError(f'{self.path}: {key} is {value!r}; give a dict with dotted keys')
        return value

    def recipe(self, key: str, value: object) -> Recipe:
        if not isinstance(value, dict) or 'config' not in value:
            raise InputError(f'{self.path}: {key} is {value!r}; give dict(config=FILE, options=dict(...))')
        unknown = sorted(value.keys() - {'config', 'options'})
        if unknown:
            raise InputError(f'{self.path}: unknown key {unknown[0]!r} in {key}; it has config and options')
        options = self.options(f'{key}.options', value.get('options') or {})
        try:
            return Recipe(str(find_config(value['config']).resolve()), options)
        except InputError as error:
            raise InputError(f'{self.path}: {key}: {error}') from error

    def names(self, tier: str, value: Any) -> tuple[str, ...]:
        if not isinstance(value, list | tuple) or not all(isinstance(name, str) for name in value):
            raise InputError(f'{self.path}: tiers.{tier} is {value!r}; give a list of names of methods')
        return tuple(value)

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
    for name, method in spec.methods.items():
        like = method.like
        pretrains = isinstance(like, str) and like in spec.methods and spec.methods[like].recipe is not None
        if like is not None and not pretrains:
            raise InputError(f'{path}: methods.{name}.like is {like!r}, which is no method that pretrains')
        if method.select and method.weights is None and spec.pretrained_as(name) is None:
            raise InputError(
                f'{path}: methods.{name}.select needs features, but its weights are random; give it weights, or like='
                'a method that pretrains'
            )
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
