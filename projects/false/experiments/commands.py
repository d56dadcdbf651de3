"""The three commands that experiments are made of, as steps: pretrain, fine-tune, test. A user could type each."""

from collections.abc import Sequence
from pathlib import Path

from projects.false.common.command_line import as_option

from .steps import Step, python, resume_if_begun


def pretraining_step(
    name: str, recipe: Path, work: Path, data: Path, seed: int, epochs: int, needs: Sequence[str] = ()
) -> Step:
    """Pretrain by a recipe and leave ``work/backbone.pth``.

    Args:
        name: Of the step.
        recipe: Config file.
        work: Work folder.
        data: Folder of the patches.
        seed: Of weights, order and augmentation.
        epochs: Length.
        needs: As of :class:`.step.Step`.
    """
    options = (
        f'randomness.seed={seed}',
        as_option('train_dataloader.dataset.data_root', data),
        f'train_cfg.max_epochs={epochs}',
    )
    command = python('train.py', recipe, '--work-dir', work, '--cfg-options', *options)
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
    """Fine-tune by a recipe on one list of labelled patches.

    Args:
        name, recipe, work, data, seed, needs: As of :func:`pretraining_step`.
        backbone: File of weights to start from; None for random ones.
        labelled: Name of the list.
        options: More ``--cfg-options``.
    """
    start = 'model.backbone.init_cfg'
    every = (
        f'randomness.seed={seed}',
        f'{start}=None' if backbone is None else as_option(f'{start}.checkpoint', backbone),
        as_option('train_dataloader.dataset.data_root', data),
        f'train_dataloader.dataset.ann_file=splits/{labelled}.txt',
        *options,
    )
    command = python('train.py', recipe, '--work-dir', work, '--cfg-options', *every)
    return Step(name, command, resume_if_begun(work), needs=tuple(needs))


def test_step(
    name: str, recipe: Path, checkpoint: Path, out: Path, data: Path, part: str, predictions: bool, needs: Sequence[str]
) -> Step:
    """Test a checkpoint on a part of the data, and leave ``out/scores.json`` and, if asked, ``out/predictions/``."""
    command = python(
        'test.py',
        *(recipe, checkpoint, '--work-dir', out, '--out', out / 'scores.json'),
        *(('--predictions', out / 'predictions') if predictions else ()),
        '--cfg-options',
        as_option('test_dataloader.dataset.data_root', data),
        f'test_dataloader.dataset.ann_file=splits/{part}.txt',
    )
    return Step(name, command, needs=tuple(needs))
