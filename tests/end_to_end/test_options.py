"""Every documented option reaches what is built, and a value that does not fit ends in one line."""

import argparse
import re
from contextlib import nullcontext

import pytest
from mmengine.config import DictAction
from mmengine.registry import init_default_scope
from mmengine.utils import import_modules_from_strings

from projects.false import InputError
from projects.false.datasets import NeighbourSampler, ViewAppearance
from projects.false.engine.config_checks import check_values
from projects.false.engine.runner import FALSERunner
from projects.false.losses import Released
from projects.false.patch_folder.packing import pack
from tests.helpers.small_runs import build, on_small_data
from tests.helpers.tools import REPOSITORY


def documented_keys():
    """The keys of the table of options in docs/reference.md; `.floor` continues the key before it."""
    reference = (REPOSITORY / 'docs' / 'reference.md').read_text()
    options = reference.split('## Options that matter')[1].split('\n## ')[0]
    rows = re.findall(r'^\| (`[a-z_.]+[^|]*) \|', options, re.MULTILINE)
    keys = set()
    for row in rows:
        names = [name.split('=')[0] for name in re.findall(r'`([a-zA-Z0-9_.=:/]+)`', row)]
        if names and '.' in names[0]:
            keys |= {names[0], *(names[0].rsplit('.', 1)[0] + name for name in names[1:] if name.startswith('.'))}
    return keys


OPTIONS = {
    'model.head.loss.confidence_weight=0.7': lambda run: run.model.head.loss_module.confidence_weight == 0.7,
    'model.head.loss.positive_threshold=0.3': lambda run: run.model.head.loss_module.positive_threshold == 0.3,
    'model.head.loss.temperature=0.3': lambda run: run.model.head.loss_module.temperature == 0.3,
    'model.head.loss.determination=released': lambda run: isinstance(
        run.model.head.loss_module.determination, Released
    ),
    'model.head.loss.determination.overlap=0.7': lambda run: run.model.head.loss_module.determination.overlap == 0.7,
    'model.head.loss.determination.most=3': lambda run: run.model.head.loss_module.determination.most == 3,
    'model.head.loss.determination.graded=True': lambda run: run.model.head.loss_module.determination.graded,
    'model.head.loss.determination.compare=distance': lambda run: (
        run.model.head.loss_module.determination.compare == 'distance'
    ),
    'train_dataloader.dataset.evidence.code=quantiles': lambda run: (
        run.train_loop.dataloader.dataset.pipeline.transforms[2].code == 'quantiles'
    ),
    'train_dataloader.sampler.type=NeighbourSampler': lambda run: isinstance(
        run.train_loop.dataloader.sampler, NeighbourSampler
    ),
    'train_dataloader.sampler.side=64': lambda run: run.train_loop.dataloader.sampler.side == 64,
    'train_dataloader.dataset.evidence=None': lambda run: (
        not any(isinstance(step, ViewAppearance) for step in run.train_loop.dataloader.dataset.pipeline.transforms)
    ),
    'train_dataloader.dataset.evidence.file=x.json': lambda run: (
        run.train_loop.dataloader.dataset.pipeline.transforms[2].file == 'x.json'
    ),
    'model.queue_kinds=5': lambda run: run.model.queue.known.shape == (len(run.model.queue), 5),
    'model.queue_len=64': lambda run: len(run.model.queue) == 64,
    'model.momentum=0.02': lambda run: run.model.key_encoder.momentum == 0.02,
    'train_dataloader.batch_size=3': lambda run: run.train_loop.dataloader.batch_size == 3,
    'train_dataloader.dataset.ann_file=splits/test.txt': lambda run: len(run.train_loop.dataloader.dataset) == 4,
    'train_dataloader.dataset.packed=True': lambda run: (
        run.train_loop.dataloader.dataset.computed and len(run.train_loop.dataloader.dataset) == 4
    ),
    'train_dataloader.dataset.max_unreadable=3': lambda run: run.train_loop.dataloader.dataset.max_unreadable == 3,
    'train_dataloader.dataset.pipeline.1.crop_scale=(0.3,0.4)': lambda run: (
        run.train_loop.dataloader.dataset.pipeline.transforms[1].crop_scale == (0.3, 0.4)
    ),
    'train_dataloader.dataset.pipeline.1.color_on=device': lambda run: (
        run.train_loop.dataloader.dataset.pipeline.transforms[1].on_device
    ),
    'randomness.seed=7': lambda run: run.seed == 7 and run.train_loop.dataloader.sampler.seed == 7,
    'model.backbone.init_cfg.checkpoint=x.pth': lambda run: run.model.backbone.init_cfg['checkpoint'] == 'x.pth',
    'model.backbone.init_cfg.prefix=x.': lambda run: run.model.backbone.init_cfg['prefix'] == 'x.',
    'model.backbone.init_cfg=None': lambda run: run.model.backbone.init_cfg[0]['type'] == 'Kaiming',
    'train_cfg.max_iters=3': lambda run: run.train_loop.max_iters == 3,
    'train_cfg.max_epochs=3': lambda run: run.train_loop.max_epochs == 3,
}


def test_every_documented_option_is_tried():
    assert documented_keys() <= {option.split('=')[0] for option in OPTIONS}
    assert len(documented_keys()) >= 10


@pytest.mark.parametrize('option', OPTIONS)
def test_options_reach_what_is_built(option, patches, tmp_path):
    """Options as a user types them, parsed by the tools' own parser and followed into the runner."""
    fine_tuning = 'init_cfg' in option or 'max_iters' in option
    form = 'mocov2' if option.startswith(('model.queue', 'model.momentum')) else 'simclr'
    path = REPOSITORY / 'configs' / f'{"upernet" if fine_tuning else f"false_{form}"}_r18_synthetic.py'
    config = on_small_data(path, patches, tmp_path)
    if 'sampler.side' in option:
        config.train_dataloader.sampler.type = 'NeighbourSampler'
    if 'packed' in option:
        pack(config.train_dataloader.dataset.data_root)
    parser = argparse.ArgumentParser()
    parser.add_argument('--cfg-options', nargs='+', action=DictAction)
    config.merge_from_dict(parser.parse_args(['--cfg-options', option]).cfg_options)
    config.experiment_name = f'{option}_{tmp_path.name}'
    assert OPTIONS[option](build(config))


ACCEPTED = {  # of the values below; all others are refused
    'model.head.loss.confidence_weight': [0],
    'model.head.loss.positive_threshold': [0, -1],
    'model.head.loss.determination.floor': [0, -1, None],
    'model.head.loss.determination.overlap': [0],
    'model.head.loss.determination.most': [None],
    'train_dataloader.dataset.evidence': [None],
    'train_dataloader.dataset.evidence.file': ['abc', None],
    'model.backbone.init_cfg': [None],
    'model.backbone.init_cfg.prefix': ['abc', None],
    'model.backbone.init_cfg.checkpoint': ['abc', None],  # on use, which names the option or the file
    'train_dataloader.dataset.ann_file': [None],
    'train_dataloader.dataset.max_unreadable': [0],
    'randomness.seed': [0, None],
}


@pytest.mark.parametrize('key', sorted({option.split('=')[0] for option in OPTIONS}))
def test_a_value_that_does_not_fit_ends_in_one_line(key, patches, tmp_path):
    fine_tuning = 'init_cfg' in key or 'max_iters' in key
    form = 'mocov2' if key.startswith(('model.queue', 'model.momentum')) else 'simclr'
    path = REPOSITORY / 'configs' / f'{"upernet" if fine_tuning else f"false_{form}"}_r18_synthetic.py'

    def try_value(key, value):
        config = on_small_data(path, patches, tmp_path)
        if 'sampler.side' in key:
            config.train_dataloader.sampler.type = 'NeighbourSampler'
        config.merge_from_dict({key: value})
        config.experiment_name = f'{key}_{value}_{tmp_path.name}'
        import_modules_from_strings(**config.custom_imports)
        init_default_scope(config.default_scope)
        check_values(config)
        if key.startswith('model.'):
            FALSERunner.build_model(None, config.model)
        elif key.startswith('train_dataloader.'):
            FALSERunner.build_dataloader(config.train_dataloader, seed=0)
        if key.endswith('_wrong') and not key.startswith('train_dataloader.'):  # read later
            runner = build(config)
            _ = runner.train_loop
            runner._init_model_weights()

    for value in (0, -1, 'abc', None):
        fits = any(value is other for other in ACCEPTED.get(key, []))
        with nullcontext() if fits else pytest.raises(InputError, match=str(value)):
            try_value(key, value)
    with pytest.raises(InputError, match=f'{key.rpartition(".")[2]}_wrong'):
        try_value(f'{key}_wrong', 1)
