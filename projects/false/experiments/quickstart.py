"""The whole path on synthetic data: scenes, patches, pretraining, fine-tuning on 1 % of the labels, report."""

import json
import time
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import NamedTuple

from projects.false.common.command_line import as_option
from projects.false.common.recipes import ROOT
from projects.false.imagery.palettes import load_palette
from projects.false.reports.score_tables import BASELINE, Run

from .children import preload
from .commands import fine_tuning_step, pretraining_step, selection_step, testing_step
from .quickstart_page import CHOSEN, FALSE, IMAGENET, SIMCLR, write_quickstart_page
from .quickstart_settings import Settings, claim
from .steps import Step, hardware, run_steps, software, tool_command


class Start(NamedTuple):
    """The start of one network of the quickstart, and the way its labelled patches are found.

    Attributes:
        title: Name in the report.
        recipe: Recipe that fine-tunes.
        pretraining: Recipe that pretrains on the unlabelled patches; None without.
        weights: Weights to start from instead; None with pretraining or random weights.
        chosen: The patches to label are chosen by the features of the weights, not drawn.
    """

    title: str
    recipe: str = 'upernet_r18_synthetic'
    pretraining: str | None = None
    weights: str | None = None
    chosen: bool = False


_LITE0 = Start(IMAGENET, 'upernet_lite0_synthetic', weights='imagenet://tf_efficientnet_lite0')
STARTS = {
    'FALSE': Start(FALSE, pretraining='false_simclr_r18_synthetic'),
    'SimCLR': Start(SIMCLR, pretraining='simclr_r18_synthetic'),
    'ImageNet': _LITE0,
    'ImageNet_chosen': _LITE0._replace(title=CHOSEN, chosen=True),
    'random': Start(BASELINE),
}


def plan(folder: Path, settings: Settings) -> list[Step]:
    """Return the commands of the quickstart as steps; a user could type each of them."""
    data, configs = folder / 'data', ROOT / 'configs'
    pretraining = [
        pretraining_step(
            f'pretrain-{name}',
            *(configs / f'{start.pretraining}.py', folder / 'pretrain' / name, data, settings.seed, settings.epochs),
            needs=('cut-patches',),
        )
        for name, start in STARTS.items()
        if start.pretraining
    ]
    selection = [
        selection_step(
            f'select-{name}',
            *(start.weights, folder / 'select' / name, data, 'typical', settings.labelled, settings.seed),
            *(f'train_{name}', configs / f'{start.recipe}.py', ('cut-patches',)),
        )
        for name, start in STARTS.items()
        if start.chosen and start.weights
    ]
    options = (
        f'train_cfg.max_iters={settings.iterations}',
        'default_hooks.logger.interval=10',
        as_option('val_dataloader.dataset.data_root', data),
    )
    fine_tuning, testing = [], []
    for name, start in STARTS.items():
        recipe, work = configs / f'{start.recipe}.py', folder / 'finetune' / name
        backbone = folder / 'pretrain' / name / 'backbone.pth' if start.pretraining else start.weights
        labelled = f'train_{name}' if start.chosen else f'train_{settings.percent}pct'
        needs = f'pretrain-{name}' if start.pretraining else f'select-{name}' if start.chosen else 'cut-patches'
        fine_tuning.append(
            fine_tuning_step(
                f'finetune-{name}', recipe, work, data, settings.seed, backbone, labelled, options, (needs,)
            )
        )
        testing.append(
            testing_step(
                f'test-{name}',
                *(recipe, work / f'iter_{settings.iterations}.pth', folder / 'test' / name, data),
                *('test', True, (f'finetune-{name}',)),
            )
        )
    return [*_data_steps(folder, settings), *pretraining, *selection, *fine_tuning, *testing]


def _data_steps(folder: Path, settings: Settings) -> list[Step]:
    scenes = folder / 'scenes'
    make = tool_command(
        'dataset_converters/synthetic.py',
        scenes,
        *('--tiles', settings.tiles, '--val-tiles', settings.val_tiles, '--test-tiles', settings.test_tiles),
        *('--seed', settings.seed),
    )
    cut = tool_command(
        'dataset_converters/color_masks.py',
        *(scenes / 'images', scenes / 'masks', folder / 'data'),
        *('--palette', 'synthetic', '--patch-size', 128, '--seed', settings.seed),
        *('--val-list', scenes / 'val.txt', '--test-list', scenes / 'test.txt'),
        *('--label-fractions', settings.label_fraction),
    )
    return [Step('make-scenes', make), Step('cut-patches', cut, needs=('make-scenes',))]


def quickstart(folder: Path, settings: Settings) -> dict[str, float]:
    """Run or resume the whole path, and write ``folder/report.html``.

    Args:
        folder: Folder for data, runs and report.
        settings: Size and seed.

    Returns:
        mIoU on the test scenes in percent, by the title of the start.
    """
    claim(folder, settings)
    began = time.monotonic()
    preload()
    run_steps(plan(folder, settings), folder)
    minutes = (time.monotonic() - began) / 60
    runs = []
    for name, start in STARTS.items():
        scores = json.loads((folder / 'test' / name / 'scores.json').read_text())
        pretraining = folder / 'pretrain' / name if start.pretraining else None
        predictions = folder / 'test' / name / 'predictions'
        runs.append(Run(start.title, scores, predictions, folder / 'finetune' / name, pretraining))
    facts = quickstart_facts(folder, settings, minutes)
    write_quickstart_page(folder / 'report.html', runs, folder / 'data', load_palette('synthetic'), facts)
    return {run.name: run.scores['scores']['mIoU'] for run in runs}


def quickstart_facts(folder: Path, settings: Settings, minutes: float) -> dict[str, str]:
    """Return the last table of the page: what a reader needs to repeat the run."""
    splits = folder / 'data' / 'splits'
    count = {name: len((splits / f'{name}.txt').read_text().split()) for name in ('pretrain', 'test')}
    options = [f'--{name.replace("_", "-")} {value}' for name, value in asdict(settings).items()]
    labelled = len((splits / f'train_{settings.percent}pct.txt').read_text().split())
    return {
        'command': ' '.join(['python tools/quickstart.py', *options]),
        'unlabelled patches': f'{count["pretrain"]} of 128 x 128 pixels',
        'labelled patches': f'{labelled} ({settings.percent} %)',
        'test patches': str(count['test']),
        'pretraining': f'ResNet-18, {settings.epochs} epochs; ImageNet: EfficientNet-Lite0, none',
        'fine-tuning': f'UPerNet, {settings.iterations} iterations; ImageNet: backbone at 0.3 of the rate',
        'seed': str(settings.seed),
        'hardware': hardware(),
        'time of this call': f'{minutes:.1f} minutes',
        'date': date.today().isoformat(),
        'software': software(),
    }
