"""model-index.yml names every recipe as it is, and results as docs/results.md has them."""

import re

import pytest
from mmengine.config import Config
from modelindex.load_model_index import load

from tests.helpers.tools import REPOSITORY

RECIPES = sorted((REPOSITORY / 'configs').glob('*.py'))
NAMES = {'tf_efficientnet_lite0': 'EfficientNet-Lite0'}
COLLECTIONS = {
    'false': 'FALSE',
    'simclr': 'SimCLR',
    'mocov2': 'MoCo v2',
    'upernet': 'UPerNet',
    'linear': 'Linear probe',
    'deeplabv3plus': 'DeepLabV3+',
    'meanteacher': 'Mean teacher',
}


@pytest.fixture(scope='module')
def index():
    found = load(str(REPOSITORY / 'model-index.yml'))
    assert found.check(silent=True) == []
    return found


@pytest.fixture(scope='module')
def models(index):
    return {model.name: model for model in index.models}


def test_every_recipe_is_listed_once(index, models):
    assert sorted(model.name for model in index.models) == [path.stem for path in RECIPES]
    for name, model in models.items():
        assert model.config == f'configs/{name}.py'
        assert (REPOSITORY / model.config).is_file()


def test_no_weights_are_promised(models):
    assert [name for name, model in models.items() if model.weights] == []


def test_collections_are_names_and_fit(index, models):
    """FALSE without quotes would be a truth value in YAML."""
    collections = [collection.name for collection in index.collections]
    assert 'FALSE' in collections
    for name, model in models.items():
        method = name.split('_')[0]
        told = COLLECTIONS[method]
        assert model.in_collection == told
        assert told in collections


@pytest.mark.parametrize('path', RECIPES, ids=lambda path: path.stem)
def test_length_batch_network_and_data_are_those_of_the_recipe(path, models):
    config, told = Config.fromfile(path), models[path.stem].metadata
    lengths = (config.train_cfg.get('max_epochs'), config.train_cfg.get('max_iters'))
    assert (told.epochs, told.data.get('Iterations')) == lengths
    assert told.batch_size == config.auto_scale_lr.base_batch_size
    depth = config.model.backbone.get('depth')
    assert told.architecture[0] == (f'ResNet-{depth}' if depth else NAMES[config.model.backbone.model_name])
    data = config.train_dataloader.dataset.data_root.split('/')[-1]
    assert {'synthetic': 'synthetic scenes', 'potsdam': 'ISPRS Potsdam'}.get(
        data, data
    ).lower() == told.training_data.lower()
    downstream = models[path.stem].data.get('Downstream', [])
    assert downstream == ([] if told.epochs is None else [f'upernet_{f"r{depth}" if depth else "lite0"}_{data}'])


def rows(title, place=0):
    """A table below a heading of docs/results.md, the first by default, as lists of cells."""
    text = (REPOSITORY / 'docs' / 'results.md').read_text().split(f'## {title}')[1]
    lines = list(re.finditer(r'(^\|.*\n)+', text, re.MULTILINE))[place].group().splitlines()
    return [[cell.strip() for cell in line.strip('|').split('|')] for line in lines]


def measured():
    """Name of a recipe -> its numbers in docs/results.md; those of FALSE on MBRSC come from an earlier rule."""
    recipes = {
        'SimCLR': 'simclr_r18_synthetic',
        'FALSE by appearance': 'false_simclr_r18_synthetic',
        'ImageNet': 'upernet_lite0_synthetic',
    }
    _, _, *starts = rows('Quickstart')
    found = {
        recipes[start]: {'mIoU': float(score.strip('*'))}
        for start, _, labelled, score in starts
        if start in recipes and labelled == 'drawn'
    }
    header, _, *starts = rows('UPerNet on MBRSC')
    recipes = {'SimCLR': 'simclr', 'MoCo v2': 'mocov2'}
    for start, *values in starts:
        if start in recipes:
            scores = dict(zip(header[1:], map(float, values), strict=True))
            found[f'{recipes[start]}_r18_mbrsc'] = {'mIoU': scores['mIoU']}
    return found


def test_results_are_the_measured_ones_and_no_others(models):
    told = {}
    for name, model in models.items():
        for result in model.results or ():
            assert result.dataset == model.metadata.training_data
            told[name] = result.metrics
    assert told == measured()
    assert len(told) == 5
