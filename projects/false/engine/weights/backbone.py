"""Export the backbone of a pretraining checkpoint to the file that fine-tuning starts from."""

import ast
import hashlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import master_only
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.model import is_model_wrapper
from mmengine.registry import HOOKS
from torch import nn

from projects.false.common.errors import InputError, type_name

from ..checkpoints.files import read_checkpoint, write_checkpoint
from .matching import check_finite
from .resnet import resnet_layout

_PREFIX = 'backbone.'
_BASELINES = {'FALSE': 'SimCLR', 'FALSEMoCo': 'MoCo v2'}


def backbone_weights(checkpoint: Any) -> dict[str, torch.Tensor]:
    """Collect the weights under ``backbone.`` as CPU copies, without that prefix.

    Args:
        checkpoint: A checkpoint with a ``state_dict``, or a state dict itself; a leading ``module.`` is ignored.

    Returns:
        The weights by name; empty if there is no backbone.
    """
    state = checkpoint.get('state_dict', checkpoint) if isinstance(checkpoint, Mapping) else None
    if not isinstance(state, Mapping):
        return {}
    named = {str(name).removeprefix('module.'): value for name, value in state.items()}
    return {
        name.removeprefix(_PREFIX): value.detach().cpu().contiguous().clone()
        for name, value in named.items()
        if name.startswith(_PREFIX) and isinstance(value, torch.Tensor)
    }


def method_name(model: str, loss: str | None) -> str:
    """Name a pretraining method. FALSE and its baseline share an algorithm class, but not the loss of the head."""
    return _BASELINES.get(model, model) if loss == 'NTXentLoss' else model


def method_of(config_text: str) -> str | None:
    """Find the method in the text of a config without executing it.

    Args:
        config_text: Python, with ``model = dict(type='...', head=dict(loss=dict(...)))``.

    Returns:
        The method; None if the text does not name one.
    """
    try:
        statements = ast.parse(config_text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    for statement in statements:
        if not isinstance(statement, ast.Assign):
            continue
        if any(isinstance(target, ast.Name) and target.id == 'model' for target in statement.targets):
            model = _argument(statement.value, 'type')
            loss = _argument(_argument(_argument(statement.value, 'head'), 'loss'), 'type')
            if isinstance(model, ast.Constant):
                named = type_name(str(loss.value)) if isinstance(loss, ast.Constant) else None
                return method_name(type_name(str(model.value)), named)
    return None


def _argument(call: ast.AST | None, name: str) -> ast.AST | None:
    keywords = call.keywords if isinstance(call, ast.Call) else ()
    return next((keyword.value for keyword in keywords if keyword.arg == name), None)


def backbone_meta(names: Iterable[str], meta: Mapping) -> dict[str, Any]:
    """Collect the ``meta`` of a backbone: its origin and its layout.

    Args:
        names: Names of its weights, without a prefix.
        meta: ``meta`` of the checkpoint: MMEngine's, or that of an exported backbone, which is kept.

    Returns:
        Those of ``method``, ``config_name``, ``epoch``, ``iter``, ``seed``, ``depth``, ``block`` and ``blocks`` that
        are known.
    """
    kind, blocks, depth = resnet_layout(names) or (None, None, None)
    entries = {
        'method': method_of(str(meta.get('cfg', ''))) or meta.get('method'),
        'config_name': meta.get('experiment_name') or meta.get('config_name'),
        'epoch': meta.get('epoch'),
        'iter': meta.get('iter'),
        'seed': meta.get('seed'),
        'depth': depth,
        'block': kind,
        'blocks': blocks,
    }
    return {key: value for key, value in entries.items() if value is not None}


def export_backbone(source: str | os.PathLike | Mapping, out_path: str | os.PathLike, **meta) -> dict:
    """Write a backbone to a file that ``PretrainedBackbone`` and ``torch.load(weights_only=True)`` read.

    Args:
        source: A pretraining checkpoint, as a path or loaded.
        out_path: The file to write.
        **meta: Entries of ``meta`` that override those found in the checkpoint: ``method``, ``epoch``, ...

    Returns:
        The content of the file: ``state_dict``, the weights of the backbone, and ``meta``, their origin.

    Raises:
        InputError: The source cannot be read, has no backbone or one that is not finite, or the output cannot be
            written.

    Example:
        >>> export_backbone('work_dirs/false_r50/epoch_200.pth', 'backbone.pth')
    """
    checkpoint = source if isinstance(source, Mapping) else read_checkpoint(source)
    weights = backbone_weights(checkpoint)
    if not weights:
        origin = 'the model' if isinstance(source, Mapping) else f'checkpoint {os.fspath(source)}'
        raise InputError(
            f"{origin} has no weights under '{_PREFIX}'; give a pretraining checkpoint such as epoch_200.pth"
        )
    check_finite(weights, 'the model' if isinstance(source, Mapping) else os.fspath(source))
    known = checkpoint.get('meta')
    found = backbone_meta(weights, known if isinstance(known, Mapping) else {})
    given = {key: value for key, value in meta.items() if value is not None}
    exported = {'state_dict': weights, 'meta': found | given}
    write_checkpoint(exported, out_path)
    print_log(f'wrote {len(weights)} backbone tensors to {os.fspath(out_path)}', 'current')
    return exported


@HOOKS.register_module()
class ExportBackboneHook(Hook):
    """Write ``WORK_DIR/backbone.pth`` after training: the weights that a checkpoint of the last iteration has.

    Hooks that change the weights of a checkpoint, such as MMEngine's EMAHook, change these as well.

    Args:
        filename: File name in the work folder. Default: ``backbone.pth``.

    Raises:
        InputError: Nothing in the backbone is trained, or its weights are the same after training as before.

    Example:
        >>> custom_hooks = [dict(type='ExportBackboneHook')]
    """

    def __init__(self, filename: str = 'backbone.pth') -> None:
        self.filename = filename
        self._start: tuple[int, str] = (0, '')

    def before_train(self, runner) -> None:
        """Refuse a backbone that cannot learn, and remember its weights."""
        backbone = _backbone(runner)
        rates = {
            id(weight): group.get('initial_lr') or group['lr']  # a finished run may have come down to 0
            for group in _groups(runner.optim_wrapper)
            for weight in group.get('params', ())
        }
        if not any(weight.requires_grad and rates.get(id(weight), 0) for weight in backbone.parameters()):
            raise InputError(
                'nothing in model.backbone is trained: all of it is frozen, or its learning rate is 0; set '
                'model.backbone.frozen_stages=-1 and a learning rate above 0, or remove the hook export_backbone'
            )
        self._start = runner.iter, _digest(backbone)

    @master_only
    def after_train(self, runner) -> None:
        """Export the weights of the last iteration; only the first process writes."""
        begun, digest = self._start
        if (runner.iter > begun or begun == 0) and digest == _digest(_backbone(runner)):
            raise InputError(
                f'{runner.iter} iterations have not changed the weights of model.backbone, so {self.filename} is not '
                'written; look at loss and learning rate in the log'
            )
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        config = runner.cfg.filename
        loss = getattr(getattr(model, 'head', None), 'loss_module', None)
        export_backbone(
            {'state_dict': _saved_weights(runner, model)},
            Path(runner.work_dir, self.filename),
            method=method_name(type(model).__name__, type(loss).__name__),
            config_name=Path(config).name if config else runner.experiment_name,
            arch=type(getattr(model, 'backbone', None)).__name__,
            epoch=runner.epoch,
            iter=runner.iter,
            seed=runner.seed,
        )


def _backbone(runner) -> nn.Module:
    model = runner.model.module if is_model_wrapper(runner.model) else runner.model
    return getattr(model, 'backbone', model)


def _groups(optim_wrapper) -> list[dict]:
    found = optim_wrapper.param_groups
    return [group for part in found.values() for group in part] if isinstance(found, dict) else found


def _digest(module: nn.Module) -> str:
    """Hash the weights; running statistics change without training and do not count."""
    digest = hashlib.blake2b()
    for weight in module.parameters():
        digest.update(weight.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _saved_weights(runner, model: nn.Module) -> Mapping[str, Any]:
    """Return the weights that a checkpoint would have now, as all hooks leave them."""
    checkpoint: dict[str, Any] = {
        'meta': {'iter': runner.iter, 'epoch': runner.epoch},
        'state_dict': model.state_dict(),
        'message_hub': runner.message_hub.state_dict(),
    }
    runner.call_hook('before_save_checkpoint', checkpoint=checkpoint)
    return checkpoint['state_dict']
