"""The model of a recipe as a checkpoint has it."""

from pathlib import Path
from typing import NamedTuple

from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import MODELS, init_default_scope
from mmengine.runner import set_random_seed
from torch import nn

from projects.false.engine.checkpoints.files import read_checkpoint
from projects.false.engine.weights.exact_weights import exact_weights
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
    model.load_state_dict(exact_weights(loaded, model, path))
    meta = loaded.get('meta') or {}
    return Stage(path, int(meta.get('epoch', 0)), int(meta.get('iter', 0)))
