"""Every recipe, through the real runner, on patches in the converter's format."""

import math
import re
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.utils import import_modules_from_strings

from projects.false.models import TimmBackbone
from tests.helpers.small_runs import build, on_small_data
from tests.helpers.tools import REPOSITORY

CONFIGS = sorted((REPOSITORY / 'configs').glob('*.py'))
FINE_TUNING = [path for path in CONFIGS if path.stem.startswith(('upernet', 'linear', 'deeplabv3plus'))]
FROZEN = [path for path in FINE_TUNING if not path.stem.startswith('upernet')]
MEAN_TEACHERS = [path for path in CONFIGS if path.stem.startswith('meanteacher')]
PRETRAINING = [path for path in CONFIGS if path not in FINE_TUNING + MEAN_TEACHERS]


def name_of(path):
    return path.stem


NARROW = 8  # the networks that train here are so many times narrower than the recipe's
NARROW_BACKBONE = dict(stem_channels=64 // NARROW, base_channels=64 // NARROW)


def narrow(model):
    """Make all parts on a ResNet narrow; those of the recipe fit each other. Networks of timm are small already."""
    if 'depth' not in model.backbone:
        return
    first, last = (64, 512) if model.backbone.depth == 18 else (256, 2048)
    widths = [first, 2 * first, 4 * first, last]
    model.backbone.update(NARROW_BACKBONE)
    if 'neck' in model:
        assert model.neck.in_channels == last
        model.neck.in_channels = last // NARROW
        return
    for head in (model.decode_head, model.get('auxiliary_head')):
        if head:
            several = isinstance(head.in_index, list)
            expected = [widths[index] for index in head.in_index] if several else widths[head.in_index]
            assert head.in_channels == expected
            head.in_channels = [width // NARROW for width in expected] if several else expected // NARROW
            for part in {'channels', 'c1_channels', 'c1_in_channels'} & set(head):
                assert part != 'c1_in_channels' or head[part] == first
                head[part] //= NARROW


def save_nothing(config):
    """Leave out the checkpoint at the end, of up to 400 megabytes: tests of resuming write them through the recipes."""
    config.default_hooks.checkpoint.update(interval=3, save_last=False)


def copy_of(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def changed(before, model):
    after = model.state_dict()
    return [name for name in before if before[name].is_floating_point() and not torch.equal(before[name], after[name])]


@pytest.mark.slow
@pytest.mark.parametrize('path', PRETRAINING, ids=name_of)
def test_pretraining_recipe_takes_an_epoch(path, patches, tmp_path):
    config = on_small_data(path, patches, tmp_path)
    views = config.train_dataloader.dataset.pipeline[1]
    views.size = 32
    config.train_dataloader.dataset.ann_file = ''
    config.train_cfg.max_epochs = 1
    narrow(config.model)
    save_nothing(config)
    runner = build(config)
    before = copy_of(runner.model)
    model = runner.train()
    assert runner.iter == 8 // config.train_dataloader.batch_size
    losses, _ = runner.message_hub.get_scalar('train/loss').data
    assert all(math.isfinite(loss) for loss in losses)
    first = next(name for name, _ in model.backbone.named_parameters())
    assert f'backbone.{first}' in changed(before, model)
    stored = torch.load(tmp_path / 'run' / 'backbone.pth', weights_only=True)
    assert torch.equal(stored['state_dict'][first], model.backbone.get_parameter(first))


@pytest.mark.parametrize('path', MEAN_TEACHERS, ids=name_of)
def test_a_mean_teacher_adds_itself_to_its_supervised_recipe(path):
    config = Config.fromfile(path)
    plain = Config.fromfile(path.with_stem(path.stem.removeprefix('meanteacher_')))
    assert config.model.type == 'MeanTeacher'
    assert config.train_dataloader.dataset.type == 'PartlyLabelledPatches'
    assert config.train_cfg.max_iters > config.custom_hooks[0].start + config.custom_hooks[0].ramp
    for part in ('backbone', 'decode_head', 'auxiliary_head', 'test_cfg'):
        assert config.model[part] == plain.model[part]
    for part in ('test_dataloader', 'optim_wrapper', 'param_scheduler', 'default_hooks'):
        assert config[part] == plain[part]


@pytest.mark.slow
def test_a_mean_teacher_of_resnet50_takes_two_steps(patches, backbones, tmp_path):
    config = on_small_data(REPOSITORY / 'configs' / 'meanteacher_upernet_r50_xiangtan.py', patches, tmp_path)
    data = config.train_dataloader.dataset
    for step in data.pipeline:
        if step.type in ('RandomCrop', 'RandomResize'):
            step['crop_size' if step.type == 'RandomCrop' else 'scale'] = (64, 64)
    data.ann_file, data.unlabelled, data.view_size, data.kept_apart = 'splits/train_50pct.txt', dict(ann_file=''), 64, 0
    config.model.data_preprocessor.size = (64, 64)
    config.model.confidence = 0.0
    config.model.backbone.init_cfg.checkpoint = str(backbones(50))
    config.train_dataloader.batch_size = 2
    config.train_cfg.update(max_iters=2)
    config.val_cfg = config.val_dataloader = config.val_evaluator = None
    config.custom_hooks[0].update(start=1, ramp=1)
    narrow(config.model)
    save_nothing(config)
    runner = build(config)
    runner.train()
    assert 0 < runner.message_hub.get_scalar('train/unlabelled.decode.loss_ce').current() < math.inf


@pytest.mark.slow
@pytest.mark.parametrize('path', FINE_TUNING, ids=name_of)
def test_fine_tuning_recipe_takes_two_steps_and_validates(path, patches, backbones, tmp_path):
    config = on_small_data(path, patches, tmp_path)
    large = config.model.backbone.get('depth') == 50
    crop = (64, 64) if large else (128, 128)
    for step in config.train_dataloader.dataset.pipeline:
        if step.type == 'RandomCrop':
            step.crop_size = crop
        if step.type == 'RandomResize':
            step.scale = crop
    config.model.data_preprocessor.size = crop
    config.train_dataloader.dataset.ann_file = 'splits/train_50pct.txt'
    config.val_dataloader.dataset.ann_file = 'splits/test.txt'
    if large:
        config.train_dataloader.batch_size = 2
    stored = backbones(config.model.backbone.get('depth') or config.model.backbone.model_name)
    config.model.backbone.init_cfg.checkpoint = str(stored)
    config.train_cfg.update(max_iters=2, val_interval=2)
    narrow(config.model)
    save_nothing(config)
    runner = build(config)
    given = torch.load(stored, weights_only=True)['state_dict']
    before = {}
    after_init = runner._init_model_weights
    runner._init_model_weights = lambda: (after_init(), before.update(copy_of(runner.model)))
    model = runner.train()
    assert all(torch.equal(before[f'backbone.{name}'], value) for name, value in given.items())
    moved = changed(before, model)
    if path in FROZEN:
        state = model.state_dict()
        kept = [name for name in before if name.startswith('backbone.') and torch.equal(before[name], state[name])]
        assert len(kept) == len(given)  # weights, running statistics and their counters
        assert not any(parameter.requires_grad for parameter in model.backbone.parameters())
    else:
        assert any(name.startswith('backbone.') and name.endswith('.weight') for name in moved)
    assert any(name.startswith('decode_head') for name in moved)
    assert runner.iter == 2
    assert math.isfinite(runner.message_hub.get_scalar('train/loss').current())
    assert 0 <= runner.message_hub.get_scalar('val/mIoU').current() <= 100


@pytest.fixture(scope='module')
def backbones(tmp_path_factory):
    """``backbones(network)``: a backbone.pth with the weights of an untrained, narrow network, made once.

    A network is the depth of a ResNet, or a name of timm in its own width.
    """
    import mmseg.models  # noqa: F401
    from mmengine.registry import MODELS

    from projects.false.engine.weights.backbone import export_backbone

    made = {}

    def get(network: int | str) -> Path:
        if network not in made:
            init_default_scope('mmseg')
            resnet = isinstance(network, int)
            kind = dict(type='ResNet', depth=network, **NARROW_BACKBONE)
            backbone = MODELS.build(kind) if resnet else TimmBackbone(network)
            state = {f'backbone.{name}': value for name, value in backbone.state_dict().items()}
            made[network] = tmp_path_factory.mktemp('backbone') / f'{network}.pth'
            export_backbone({'state_dict': state, 'meta': {}}, made[network])
        return made[network]

    return get


@pytest.mark.parametrize('path', CONFIGS, ids=name_of)
def test_recipe_says_how_it_is_used(path):
    docstring = re.search(r'"""(.+?)"""', path.read_text(), re.DOTALL).group(1)
    assert f'python tools/train.py configs/{path.name}' in docstring
    assert 'Global batch' in docstring or re.search('global batch.* as (simclr|mocov2)_', docstring)
    assert re.search(r'Result: (docs/results\.md|not yet measured)', docstring)
    assert 'Hardware' in docstring or re.search('hardware: as (simclr|mocov2)_', docstring)


@pytest.mark.parametrize('path', [p for p in PRETRAINING if p.stem.startswith('false')], ids=name_of)
def test_false_differs_from_its_baseline_in_head_and_evidence_alone(path):
    if path.stem.endswith('_released'):
        pytest.skip('the released recipe has its own optimizer, schedule and views')
    false = Config.fromfile(path).to_dict()
    baseline = Config.fromfile(path.with_name(path.name.removeprefix('false_').replace('_oracle', ''))).to_dict()
    assert false['model'].pop('head') != baseline['model'].pop('head')
    assert false['model'].pop('queue_kinds', 6) == 6
    step = false['train_dataloader']['dataset'].pop('evidence')
    assert step['type'] == ('ViewLandCover' if path.stem.endswith('_oracle') else 'ViewAppearance')
    assert false == baseline
    lines = path.read_text().split('"""')[2].strip().splitlines()
    assert len([line for line in lines if line and not line.startswith('_base_')]) <= 16


def test_released_optimizer_gives_no_decay_to_norms_alone():
    from mmengine.optim import build_optim_wrapper
    from mmengine.registry import MODELS
    from mmengine.utils.dl_utils.misc import is_norm

    config = Config.fromfile(REPOSITORY / 'configs' / 'false_simclr_r50_potsdam_released.py')
    import_modules_from_strings(**config.custom_imports)
    init_default_scope('mmpretrain')
    model = MODELS.build(config.model)
    wrapper = build_optim_wrapper(model, config.optim_wrapper)
    decay = {id(p): group['weight_decay'] for group in wrapper.param_groups for p in group['params']}
    norms = {id(p) for module in model.modules() if is_norm(module) for p in module.parameters()}
    assert len(norms) == 106
    for name, parameter in model.named_parameters():
        assert decay[id(parameter)] == (0 if id(parameter) in norms else 1e-6), name
