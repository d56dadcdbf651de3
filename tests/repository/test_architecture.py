"""The packages of projects/false import one way, and their modules are few and deep."""

import ast
from collections import Counter, defaultdict
from functools import cache
from graphlib import CycleError, TopologicalSorter
from statistics import median

import pytest

from tests.helpers.tools import REPOSITORY

PACKAGE = 'projects.false'
# From the bottom up: a package imports from itself and from lower levels. The tools stand above all of them.
LEVELS = [
    {'common'},
    {'imagery', 'losses'},
    {'patch_folder', 'vectors'},
    {'datasets', 'converters'},
    {'models', 'monitoring', 'reports'},
    {'engine', 'label_audit'},
    {'evaluation', 'mapping', 'pair_audit'},
    {'selection', 'semi_supervised', 'assessment'},
    {'experiments'},
]
LEVEL_OF = {package: level for level, packages in enumerate(LEVELS) for package in packages}
ALONE = {'doctor'}  # runs where nothing else can be imported
FRAMEWORKS = {'torch', 'torchvision', 'mmengine', 'mmcv', 'mmpretrain', 'mmseg'}
WITHOUT_FRAMEWORKS = {'common', 'imagery', 'patch_folder', 'vectors', 'converters'}
FRAMEWORK_ALLOWED = {'common.random_state': 'sets the generators of PyTorch, too'}
# Only configs of segmentation import the first two; children imports it before it forks trainings.
NEED_MMSEG = {
    'datasets.land_cover',
    'models.segmentation',
    'experiments.children',
    'semi_supervised.mean_teacher',
}
MOVED = {'errors', 'datasets.known_data_sets', 'models.band_preprocessor', 'models.linear_head'}  # old names

# Modules that one neighbour alone imports, and why they are not part of it.
ONE_IMPORTER = {
    'label_audit.listed_patches': 'what is known of one patch; leaks compares lists',
    'assessment.chip_sheet': 'a page of pictures, which is optional',
    'assessment.estimates': 'statistics alone, tested against the published example',
    'converters.scenes.buildings': 'one layer of a scene, one file',
    'converters.scenes.cars': 'one layer of a scene, one file',
    'converters.scenes.trees': 'one layer of a scene, one file',
    'converters.flair_splits': 'arithmetic on names and places alone; flair finds the files',
    'datasets.views.color_loader': 'the loader backend of the colour steps, beside color_device',
    'engine.weights.model_card': 'Markdown alone; publish reads, checks and writes',
    'experiments.benchmark.audit_section': 'one section of the page, which is optional',
    'experiments.benchmark.page': 'HTML alone; outputs decides what is written and when',
    'experiments.benchmark.paired_difference': 'statistics alone, tested against closed forms',
    'experiments.benchmark.runner': 'runs processes; outputs reads what they leave',
    'experiments.quickstart_page': 'HTML alone; quickstart runs the steps',
    'mapping.blending': 'arithmetic alone; map_image reads, calls the model and writes',
    'mapping.map_image': 'reads, computes and blends; map_files writes',
    'mapping.map_files': 'the files of one map; map_rasters goes from image to image',
    'mapping.preview': 'a picture, which is optional',
    'monitoring.embeddings': 'measures alone; the hook decides when to take them and when to stop',
    'monitoring.probes': 'probes of given features; the hook makes the features',
    'selection.doubt': 'runs a fine-tuned model; all other ways of choosing need none',
    'selection.methods': 'arithmetic on features alone; selection reads and writes',
    'selection.outputs': 'pictures and outlines; selection chooses',
    'pair_audit.gallery': 'pictures of pairs; report is the page around them',
    'vectors.tracing': 'geometry alone; polygon_file says what is written, and where it lies',
}


@cache
def modules():
    """Name below projects.false -> path; ``''`` is projects.false itself."""
    root = REPOSITORY / 'projects' / 'false'
    found = {}
    for path in sorted(root.rglob('*.py')):
        parts = path.relative_to(root).with_suffix('').parts
        found['.'.join(parts[:-1] if parts[-1] == '__init__' else parts)] = path
    return found


@cache
def imports():
    """Name of a module -> full names of all that it imports, in functions, too, but not for type checkers alone."""
    return {name: set(_imported(ast.parse(path.read_text()), name, path)) for name, path in modules().items()}


def _imported(tree, name, path):
    if isinstance(tree, ast.If) and 'TYPE_CHECKING' in ast.unparse(tree.test):
        for child in tree.orelse:
            yield from _imported(child, name, path)
        return
    if isinstance(tree, ast.Import):
        yield from (alias.name for alias in tree.names)
    if isinstance(tree, ast.ImportFrom):
        package = f'{PACKAGE}.{name}'.rstrip('.').split('.')
        package = package[: len(package) - tree.level + (path.name == '__init__.py')] if tree.level else []
        base = '.'.join([*package, *([tree.module] if tree.module else [])])
        for alias in tree.names:
            full = f'{base}.{alias.name}'
            yield full if full.removeprefix(f'{PACKAGE}.') in modules() else base
    for child in ast.iter_child_nodes(tree):
        yield from _imported(child, name, path)


def own_imports():
    """Pairs of modules of projects.false, importer first."""
    for name, found in imports().items():
        for full in found:
            if full == PACKAGE or full.startswith(f'{PACKAGE}.'):
                yield name, full.removeprefix(PACKAGE).removeprefix('.')


def package_of(name):
    return name.split('.')[0]


def real_modules():
    """All but the ``__init__`` of folders."""
    return {name: path for name, path in modules().items() if path.name != '__init__.py'}


def test_every_package_has_its_level():
    packages = {path.parent.name for path in (REPOSITORY / 'projects' / 'false').glob('*/__init__.py')}
    assert packages == LEVEL_OF.keys() | ALONE


def test_packages_import_downwards_only():
    wrong = [
        f'{name} imports {other}'
        for name, other in own_imports()
        if package_of(name) in LEVEL_OF
        and package_of(other) != package_of(name)
        and LEVEL_OF.get(package_of(other), len(LEVELS)) >= LEVEL_OF[package_of(name)]
        and other not in MOVED
    ]
    assert wrong == []


def test_the_doctor_stands_alone():
    assert [pair for pair in own_imports() if (package_of(pair[0]) in ALONE) != (package_of(pair[1]) in ALONE)] == []


def test_no_module_imports_itself_indirectly():
    graph = defaultdict(set)
    for name, other in own_imports():
        graph[name].add(other)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(' -> '.join(error.args[1]))


def test_packages_for_data_need_no_framework():
    wrong = {
        name: sorted(used)
        for name, found in imports().items()
        if package_of(name) in WITHOUT_FRAMEWORKS | ALONE and name not in FRAMEWORK_ALLOWED
        and (used := {full.split('.')[0] for full in found} & FRAMEWORKS)
    }  # fmt: skip
    assert wrong == {}


def test_few_modules_need_mmseg():
    assert {name for name, found in imports().items() if any(f.split('.')[0] == 'mmseg' for f in found)} == NEED_MMSEG


def test_moved_names_are_for_users_only():
    assert [pair for pair in own_imports() if pair[1] in MOVED] == []


def test_folders_are_small_enough_to_survey():
    sizes = Counter(path.parent for path in real_modules().values())
    assert {str(folder): size for folder, size in sizes.items() if size > 16} == {}


def test_modules_are_few_and_deep():
    lines = [len(path.read_text().splitlines()) for name, path in real_modules().items() if name not in MOVED]
    assert len(lines) <= 220
    assert median(lines) >= 110
    assert sum(count < 60 for count in lines) / len(lines) <= 0.14
    assert max(lines) <= 350


def test_a_module_with_one_importer_has_a_reason_to_be_separate():
    importers = defaultdict(set)
    for name, other in own_imports():
        importers[other].add(name)
    others = [path for folder in ('tools', 'benchmarks', 'configs') for path in (REPOSITORY / folder).rglob('*.py')]
    elsewhere = '\n'.join(path.read_text() for path in others)
    found = {
        name
        for name in real_modules()
        if len(importers[name]) == 1
        and next(iter(importers[name])).rpartition('.')[0] == name.rpartition('.')[0]
        and modules()[next(iter(importers[name]))].name != '__init__.py'
        and f'{PACKAGE}.{name} ' not in elsewhere
    }
    assert sorted(found) == sorted(ONE_IMPORTER)
