"""The audit: checkpoints of a run, on the same batches, against the labels."""

from typing import NamedTuple

from mmengine.config import Config
from mmengine.logging import print_log
from torch import nn
from torch.utils.data import DataLoader

from .judge import Examples, Finding, Judge
from .replay import Stage, build_loader, build_model, load_stage
from .settings import Settings


class PairAudit(NamedTuple):
    """The result.

    Attributes:
        settings: With the threshold and the seed that were used.
        config: Of the recipe.
        stages: Points of training, in their order.
        open: Share of the anchors past the gate at each of them.
        findings: All counts.
        examples: Rule and whether after the gate -> pairs at the last point of training.
        loader: Makes the views again.
        preprocessor: Of the model, to see the views as the model does.
    """

    settings: Settings
    config: Config
    stages: list[Stage]
    open: list[float]
    findings: list[Finding]
    examples: dict[tuple[str, bool], Examples]
    loader: DataLoader
    preprocessor: nn.Module


def audit_pairs(config: Config, checkpoints: list[str], settings: Settings) -> PairAudit:
    """Audit every determination at every checkpoint.

    Args:
        config: The recipe of the run.
        checkpoints: At least one; ``untrained`` stands for the weights that training begins with.
        settings: What else there is to choose.

    Raises:
        InputError: A setting, the data or a checkpoint is unusable.
    """
    settings.check()
    seed = settings.seed if settings.seed is not None else config.get('randomness', {}).get('seed') or 0
    loader = build_loader(config, settings.data_root, f'splits/{settings.split}.txt', settings.scope, seed)
    model = build_model(config, seed)
    initial = {name: value.clone() for name, value in model.state_dict().items()}
    for path in checkpoints:
        load_stage(model, path)  # an unusable one is told before any work
    threshold = settings.threshold
    if threshold is None:
        threshold = getattr(model.head.loss_module, 'positive_threshold', -1.0)
    settings = settings._replace(threshold=threshold, seed=seed)
    judge = Judge(model, loader, settings, config)
    stages = []
    for path in checkpoints:
        model.load_state_dict(initial)
        stage = load_stage(model, path)
        stages.append(stage)
        judge.judge(stage)
        print_log(f'audited {stage.name}: {judge.open[stage]:.1%} of the anchors are past the gate', 'current')
    stages.sort(key=lambda stage: stage.iteration)
    return PairAudit(
        settings,
        config,
        stages,
        [judge.open[stage] for stage in stages],
        judge.findings,
        judge.examples[stages[-1]],
        loader,
        model.data_preprocessor,
    )
