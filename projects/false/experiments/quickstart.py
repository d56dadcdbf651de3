"""The whole path on synthetic data: scenes, patches, pretraining, fine-tuning on 1 % of the labels, mIoU, report."""

import json
import time
from dataclasses import asdict
from datetime import date
from pathlib import Path

from projects.false.common.command_line import as_option
from projects.false.common.recipes import ROOT
from projects.false.imagery.palettes import load_palette
from projects.false.reports.score_tables import Run

from .children import preload
from .commands import fine_tuning_step, pretraining_step, testing_step
from .quickstart_page import write_quickstart_page
from .quickstart_settings import Settings, claim
from .steps import Step, hardware, run_steps, software, tool_command

PRETRAINED = {'FALSE': 'false_simclr_r18_synthetic', 'SimCLR': 'simclr_r18_synthetic'}
SEGMENTATION = 'upernet_r18_synthetic'


def plan(folder: Path, settings: Settings) -> list[Step]:
    """Return the commands of the quickstart as steps; a user could type each of them."""
    scenes, data, configs = folder / 'scenes', folder / 'data', ROOT / 'configs'
    percent = f'{100 * settings.label_fraction:g}'
    data_steps = [
        Step(
            'make-scenes',
            tool_command(
                'dataset_converters/synthetic.py',
                scenes,
                *('--tiles', settings.tiles, '--val-tiles', settings.val_tiles, '--test-tiles', settings.test_tiles),
                *('--seed', settings.seed),
            ),
        ),
        Step(
            'cut-patches',
            tool_command(
                'dataset_converters/color_masks.py',
                *(scenes / 'images', scenes / 'masks', data),
                *('--palette', 'synthetic', '--patch-size', 128, '--seed', settings.seed),
                *('--val-list', scenes / 'val.txt', '--test-list', scenes / 'test.txt'),
                *('--label-fractions', settings.label_fraction),
            ),
            needs=('make-scenes',),
        ),
    ]
    methods = [*PRETRAINED, 'random']
    pretraining = [
        pretraining_step(
            f'pretrain-{method}',
            *(configs / f'{config}.py', folder / 'pretrain' / method, data, settings.seed, settings.epochs),
            needs=('cut-patches',),
        )
        for method, config in PRETRAINED.items()
    ]
    recipe, end = configs / f'{SEGMENTATION}.py', settings.iterations
    options = (
        f'train_cfg.max_iters={end}',
        'default_hooks.logger.interval=10',
        as_option('val_dataloader.dataset.data_root', data),
    )
    fine_tuning = [
        fine_tuning_step(
            f'finetune-{method}',
            *(recipe, folder / 'finetune' / method, data, settings.seed),
            folder / 'pretrain' / method / 'backbone.pth' if method in PRETRAINED else None,
            f'train_{percent}pct',
            options,
            needs=(f'pretrain-{method}' if method in PRETRAINED else 'cut-patches',),
        )
        for method in methods
    ]
    testing = [
        testing_step(
            f'test-{method}',
            *(recipe, folder / 'finetune' / method / f'iter_{end}.pth', folder / 'test' / method, data),
            *('test', True, (f'finetune-{method}',)),
        )
        for method in methods
    ]
    return [*data_steps, *pretraining, *fine_tuning, *testing]


def quickstart(folder: Path, settings: Settings) -> dict[str, float]:
    """Run or resume the whole path, and write ``folder/report.html``.

    Args:
        folder: Folder for data, runs and report.
        settings: Size and seed.

    Returns:
        mIoU on the test scenes in percent, by initialisation.
    """
    claim(folder, settings)
    start = time.monotonic()
    preload()
    run_steps(plan(folder, settings), folder)
    minutes = (time.monotonic() - start) / 60
    runs = []
    for method in [*PRETRAINED, 'random']:
        scores = json.loads((folder / 'test' / method / 'scores.json').read_text())
        pretraining = folder / 'pretrain' / method if method in PRETRAINED else None
        predictions = folder / 'test' / method / 'predictions'
        runs.append(Run(method, scores, predictions, folder / 'finetune' / method, pretraining))
    facts = quickstart_facts(folder, settings, minutes)
    write_quickstart_page(folder / 'report.html', runs, folder / 'data', load_palette('synthetic'), facts)
    return {run.name: run.scores['scores']['mIoU'] for run in runs}


def quickstart_facts(folder: Path, settings: Settings, minutes: float) -> dict[str, str]:
    """Return the last table of the page: what a reader needs to repeat the run."""
    percent = f'{100 * settings.label_fraction:g}'
    splits = folder / 'data' / 'splits'
    count = {name: len((splits / f'{name}.txt').read_text().split()) for name in ('pretrain', 'test')}
    options = [f'--{name.replace("_", "-")} {value}' for name, value in asdict(settings).items()]
    labelled = len((splits / f'train_{percent}pct.txt').read_text().split())
    return {
        'command': ' '.join(['python tools/quickstart.py', *options]),
        'unlabelled patches': f'{count["pretrain"]} of 128 x 128 pixels',
        'labelled patches': f'{labelled} ({percent} %)',
        'test patches': str(count['test']),
        'pretraining': f'ResNet-18, {settings.epochs} epochs',
        'fine-tuning': f'UPerNet, {settings.iterations} iterations, the same for every initialisation',
        'seed': str(settings.seed),
        'hardware': hardware(),
        'time of this call': f'{minutes:.1f} minutes',
        'date': date.today().isoformat(),
        'software': software(),
    }
