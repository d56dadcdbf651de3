"""The commands of an experiment, as steps: pretrain, select, fine-tune, test. A user could type each of them."""

from collections.abc import Sequence
from pathlib import Path

from projects.false.common.command_line import as_option

from .steps import Step, resume_if_begun, tool_command


def pretraining_step(
    name: str, recipe: Path, work: Path, data: Path, seed: int, epochs: int, needs: Sequence[str] = ()
) -> Step:
    """Make the step that pretrains by a recipe and writes ``work/backbone.pth``.

    Args:
        name: Name of the step.
        recipe: Config file.
        work: Work folder.
        data: Folder of the patches.
        seed: Seed of weights, order and augmentation.
        epochs: Number of epochs.
        needs: Names of the steps that must be done before.
    """
    options = (
        f'randomness.seed={seed}',
        as_option('train_dataloader.dataset.data_root', data),
        f'train_cfg.max_epochs={epochs}',
    )
    command = tool_command('train.py', recipe, '--work-dir', work, '--cfg-options', *options)
    return Step(name, command, resume_if_begun(work), epochs, tuple(needs))


def fine_tuning_step(
    name: str,
    recipe: Path,
    work: Path,
    data: Path,
    seed: int,
    backbone: str | Path | None,
    labelled: str,
    options: Sequence[str] = (),
    needs: Sequence[str] = (),
) -> Step:
    """Make the step that fine-tunes by a recipe on one list of labelled patches.

    Args:
        name: Name of the step.
        recipe: Config file.
        work: Work folder.
        data: Folder of the patches.
        seed: Seed of weights, order and augmentation.
        backbone: File of weights to start from; None for random weights.
        labelled: Name of the list.
        options: Further ``--cfg-options``.
        needs: Names of the steps that must be done before.
    """
    start = 'model.backbone.init_cfg'
    all_options = (
        f'randomness.seed={seed}',
        f'{start}=None' if backbone is None else as_option(f'{start}.checkpoint', backbone),
        as_option('train_dataloader.dataset.data_root', data),
        f'train_dataloader.dataset.ann_file=splits/{labelled}.txt',
        *options,
    )
    command = tool_command('train.py', recipe, '--work-dir', work, '--cfg-options', *all_options)
    return Step(name, command, resume_if_begun(work), needs=tuple(needs))


def selection_step(
    name: str,
    backbone: str | Path,
    out: Path,
    data: Path,
    how: str,
    count: int,
    seed: int,
    chosen: str,
    recipe: Path,
    needs: Sequence[str] = (),
) -> Step:
    """Make the step that chooses patches to label and writes ``data/splits/CHOSEN.txt``.

    Args:
        name: Name of the step.
        backbone: Weights whose features decide.
        out: Folder for features and contact sheet.
        data: Folder of the patches.
        how: Method of ``tools/select_patches.py``.
        count: Number of patches to choose.
        seed: Seed of the choice.
        chosen: Name of the list.
        recipe: Config file with the backbone and the normalisation of its pixels.
        needs: Names of the steps that must be done before.
    """
    options = ('--method', how, '--count', count, '--seed', seed, '--list', chosen, '--out', out, '--overwrite')
    command = tool_command('select_patches.py', data, backbone, *options, '--config', recipe)
    return Step(name, command, needs=tuple(needs))


def testing_step(
    name: str, recipe: Path, checkpoint: Path, out: Path, data: Path, part: str, predictions: bool, needs: Sequence[str]
) -> Step:
    """Make the step that tests a checkpoint and writes ``out/scores.json``.

    Args:
        name: Name of the step.
        recipe: Config file.
        checkpoint: Checkpoint of the fine-tuned model.
        out: Folder for the results.
        data: Folder of the patches.
        part: Part of the data to test on, ``val`` or ``test``.
        predictions: Also write the predicted masks to ``out/predictions/``.
        needs: Names of the steps that must be done before.
    """
    command = tool_command(
        'test.py',
        *(recipe, checkpoint, '--work-dir', out, '--out', out / 'scores.json'),
        *(('--predictions', out / 'predictions') if predictions else ()),
        '--cfg-options',
        as_option('test_dataloader.dataset.data_root', data),
        f'test_dataloader.dataset.ann_file=splits/{part}.txt',
    )
    return Step(name, command, needs=tuple(needs))
