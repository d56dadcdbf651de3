"""The model of a recipe as a checkpoint has it."""

from pathlib import Path
from typing import NamedTuple

from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import MODELS, init_default_scope
from mmengine.runner import set_random_seed
from torch import nn

from projects.false.engine.checkpoints import read_checkpoint
from projects.false.errors import InputError

UNTRAINED = 'untrained'


class Stage(NamedTuple):
    """A point of training.

    Attributes:
        path: Its checkpoint, or ``untrained`` for the weights that training begins with.
        epoch: Epochs done.
        iteration: Iterations done.
    """

    path: str
    epoch: int
    iteration: int

    @property
    def name(self) -> str:
        """Short name for tables."""
        return self.path if self.path == UNTRAINED else Path(self.path).stem


def build_model(config: Config, seed: int) -> nn.Module:
    """The untrained model of a pretraining recipe, on this machine, without SyncBN.

    Raises:
        InputError: The recipe's head holds no loss that compares projections.
    """
    init_default_scope(config.get('default_scope', 'mmengine'))
    set_random_seed(seed)
    model = revert_sync_batchnorm(MODELS.build(config.model))
    logger = MMLogger.get_current_instance()
    level = logger.level
    logger.setLevel('WARNING')  # it would tell of every single weight
    try:
        model.init_weights()
    finally:
        logger.setLevel(level)
    if not hasattr(getattr(getattr(model, 'head', None), 'loss_module', None), 'compare'):
        raise InputError(f'{config.filename}: has no contrastive loss in model.head; give a recipe of FALSE')
    if hasattr(model, 'key_encoder'):
        model.key_encoder.update(nn.Sequential(model.backbone, model.neck))  # the first one makes them equal
    return model


def load_stage(model: nn.Module, path: str) -> Stage:
    """Load a checkpoint into a model, every tensor of it, and no other; ``untrained`` leaves the model as it is.

    Raises:
        InputError: The file is missing, unsafe, or of another model.
    """
    if path == UNTRAINED:
        return Stage(path, 0, 0)
    loaded = read_checkpoint(path)
    state = loaded.get('state_dict') if isinstance(loaded, dict) else None
    expected = model.state_dict()
    if not isinstance(state, dict):
        raise InputError(f'{path}: holds no weights; give a checkpoint that tools/train.py wrote')
    missing, unexpected = sorted(expected.keys() - state.keys()), sorted(state.keys() - expected.keys())
    other = sorted(name for name in expected.keys() & state.keys() if expected[name].shape != state[name].shape)
    wrong = [*missing, *unexpected, *other]
    if wrong:
        raise InputError(
            f'{path}: not a checkpoint of this model: {len(missing)} weights missing, {len(unexpected)} unexpected, '
            f'{len(other)} of another shape (first: {wrong[0]}); give the config that it was trained with'
        )
    model.load_state_dict(state)
    meta = loaded.get('meta') or {}
    return Stage(path, int(meta.get('epoch', 0)), int(meta.get('iter', 0)))
