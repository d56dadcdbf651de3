"""Audit checkpoints of a run on the same batches, against the labels."""

from typing import Any, NamedTuple

from mmengine.config import Config
from mmengine.logging import print_log
from torch.utils.data import DataLoader

from projects.false.models.preprocessor import ViewPreprocessor

from .judge import Examples, Judge, Judgement
from .replay import Stage, build_loader, build_model, load_stage
from .settings import Settings


class PairAudit(NamedTuple):
    """The result of an audit.

    Attributes:
        settings: The settings of the user.
        threshold: T of the gate, as it was used.
        seed: The seed, as it was used.
        config: The recipe of the run.
        stages: The audited points of training, in their order.
        past_gate: Share of the anchors past the gate at every stage, in [0, 1].
        judgements: The counts of every rule by every criterion at every stage.
        examples: Pairs of the last stage, by the name of the rule and whether they are after the gate.
        loader: The loader, whose data set makes the views again.
        preprocessor: The preprocessor of the model, which shows the views as the model sees them.
    """

    settings: Settings
    threshold: float
    seed: int
    config: Config
    stages: list[Stage]
    past_gate: list[float]
    judgements: list[Judgement]
    examples: dict[tuple[str, bool], Examples]
    loader: DataLoader[Any]
    preprocessor: ViewPreprocessor


def audit_pairs(config: Config, checkpoints: list[str], settings: Settings) -> PairAudit:
    """Audit every determination at every checkpoint.

    Args:
        config: The recipe of the run.
        checkpoints: At least one; ``untrained`` stands for the weights that training starts with.
        settings: Data, batches, rules and criteria.

    Raises:
        InputError: A setting, the data or a checkpoint is unusable.
    """
    settings.check()
    seed = settings.seed if settings.seed is not None else config.get('randomness', {}).get('seed') or 0
    loader = build_loader(config, settings.data_root, f'splits/{settings.split}.txt', settings.scope, seed)
    model: Any = build_model(config, seed)
    initial = {name: value.clone() for name, value in model.state_dict().items()}
    for path in checkpoints:
        load_stage(model, path)  # an unusable checkpoint ends the audit before any work
    threshold = settings.threshold
    if threshold is None:
        threshold = getattr(model.head.loss_module, 'positive_threshold', -1.0)
    judge = Judge(model, loader, settings, threshold, seed, config)
    stages = []
    for path in checkpoints:
        model.load_state_dict(initial)
        stage = load_stage(model, path)
        stages.append(stage)
        judge.judge(stage)
        print_log(f'audited {stage.name}: {judge.past_gate[stage]:.1%} of the anchors are past the gate', 'current')
    stages.sort(key=lambda stage: stage.iteration)
    return PairAudit(
        settings,
        threshold,
        seed,
        config,
        stages,
        [judge.past_gate[stage] for stage in stages],
        judge.judgements,
        judge.examples[stages[-1]],
        loader,
        model.data_preprocessor,
    )
