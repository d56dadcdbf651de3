"""Initialize a backbone from pretrained weights: either all of them are loaded, or it is an error."""

from collections import Counter
from collections.abc import Iterable

from mmengine.logging import print_log
from mmengine.model import BaseModule, update_init_info
from mmengine.registry import WEIGHT_INITIALIZERS
from mmengine.runner import CheckpointLoader
from torch import Tensor, nn

from projects.false.common.errors import InputError, type_name

from .backbone import backbone_weights
from .matching import KeyReport, check_finite, compare_keys, shapes_of
from .resnet import describe_backbone, find_resnet, is_part, is_resnet, tensors_of
from .timm_names import timm_names


@WEIGHT_INITIALIZERS.register_module()
class PretrainedBackbone:
    """Load the weights of a backbone strictly, as an initializer of MMEngine.

    MMEngine's ``Pretrained`` only warns if names or shapes differ, and then trains a random network. This one stops.

    Args:
        checkpoint: ``backbone.pth`` of :func:`~projects.false.engine.weights.backbone.export_backbone`, or a whole
            checkpoint with weights under ``backbone.``, or a file of torchvision, timm, lightly or another library with
            a ResNet in it, whose classifier and heads are left out; also as ``.safetensors``. A TimmBackbone takes any
            file of timm with its network. ``package://NAME/FILE`` is a file in an installed package, and
            ``imagenet://NETWORK`` the ImageNet weights that come in one. None is for configs that leave the file to the
            command line, and an error on use.
        prefix: Prefix of the ResNet's names in the file; None searches for it.

    Raises:
        InputError: On use, if the file is missing or unsafe, holds no backbone of this depth and width, several of
            them, or weights that are not finite.

    Example:
        >>> init_cfg = dict(type='PretrainedBackbone', checkpoint='work_dirs/false_r50/backbone.pth')
        >>> backbone = dict(type='ResNet', depth=50, init_cfg=init_cfg)
    """

    def __init__(self, checkpoint: str | None, prefix: str | None = None) -> None:
        self.checkpoint, self.prefix = checkpoint, prefix

    def __call__(self, module: nn.Module) -> None:
        """Load the weights into a backbone and prevent later initializers from overwriting them."""
        self._must_come_last(module)
        inner = getattr(module, 'timm_model', module)
        own = inner.state_dict()
        weights = self._read(a_resnet=any(map(is_resnet, own)))
        if inner is not module:
            weights = timm_names(weights)
        known = {name.partition('.')[0] for name in own}
        heads = [name for name in weights if not is_part(name) and name.partition('.')[0] not in known]
        weights = {name: value for name, value in weights.items() if name not in heads}
        report = compare_keys(shapes_of(weights), shapes_of(own))
        if report.needed() or report.surplus() or report.reshaped:
            raise InputError(self._mismatch(_network(module, own), weights, report))
        inner.load_state_dict(weights, strict=False)
        self._settle(module)
        if hasattr(module, '_params_init_info'):
            update_init_info(module, init_info=f'PretrainedBackbone: loaded from {self.checkpoint}')
        print_log(
            f'PretrainedBackbone {self.checkpoint}: {len(own.keys() & weights.keys())} tensors matched, 0 missing, '
            f'0 unexpected, {_network(module, own)}{_left_out(heads)}',
            'current',
        )

    def _read(self, a_resnet: bool) -> dict[str, Tensor]:
        if not self.checkpoint:
            raise InputError(
                f'PretrainedBackbone has no file (checkpoint={self.checkpoint!r}); add '
                '--cfg-options model.backbone.init_cfg.checkpoint=work_dirs/<pretraining>/backbone.pth'
            )
        # A path or torchvision://NAME. checkpoints.mmengine_loader.register_safe_loaders made MMEngine's loader safe.
        checkpoint = CheckpointLoader.load_checkpoint(self.checkpoint, 'cpu')
        if a_resnet or self.prefix is not None or any(map(is_resnet, tensors_of(checkpoint))):
            option = 'model.backbone.init_cfg.prefix='
            return find_resnet(checkpoint, self.checkpoint, self.prefix, option).weights
        weights = backbone_weights(checkpoint) or tensors_of(checkpoint)
        if not weights:
            raise InputError(
                f'{self.checkpoint} holds no backbone; give the backbone.pth that pretraining leaves in its work '
                'folder, or a checkpoint with weights under "backbone."'
            )
        check_finite(weights, self.checkpoint)
        return weights

    def _must_come_last(self, module: nn.Module) -> None:
        configs = getattr(module, 'init_cfg', None)
        if not isinstance(configs, list | tuple) or not configs:
            return
        if type_name(configs[-1].get('type')) != type(self).__name__:
            raise InputError(
                f'PretrainedBackbone {self.checkpoint} must be the last entry of init_cfg: '
                f'{configs[-1]} would overwrite it'
            )

    def _mismatch(self, network: str, weights: dict, report: KeyReport) -> str:
        missing, unexpected, reshaped = sorted(report.needed()), sorted(report.surplus()), sorted(report.reshaped)
        examples = [
            f'{what} {", ".join(names[:3])}{", ..." if len(names) > 3 else ""}'
            for what, names in (('missing', missing), ('unexpected', unexpected))
            if names
        ]
        if not missing and not unexpected and len(reshaped) == 1 and _other_bands(*reshaped[0][1:]):
            name, given, expected = reshaped[0]
            return (
                f'{self.checkpoint} does not fit the backbone: it takes {given[1]} band(s), the config builds '
                f'{network} for {expected[1]} ({name} is {given}, not {expected}); give weights of {expected[1]} '
                'band(s), as those of a pretraining on your images, or set '
                f'model.backbone.in_channels={given[1]} and load as many bands'
            )
        examples += [f'{name} is {given}, not {expected}' for name, given, expected in reshaped[:3]]
        return (
            f'{self.checkpoint} does not fit the backbone: it holds {describe_backbone(weights)}, the config builds '
            f'{network}; {len(report.matched)} tensors match, {len(missing)} are missing, '
            f'{len(unexpected)} are unexpected, {len(reshaped)} have another shape ({"; ".join(examples)}); set the '
            'type, depth and width that were pretrained, or give another file'
        )

    def _settle(self, module: nn.Module) -> None:
        # MMEngine initializes children after their parent, for every type but its own 'Pretrained'.
        for child in module.modules():
            if child is not module and hasattr(child, 'init_weights'):
                child.is_init = True  # type: ignore[assignment]  # torch types attributes of modules as tensors
        # mmpretrain's backbones then zero their last norm (zero_init_residual) unless init_cfg is of this type.
        if isinstance(module, BaseModule):
            module.init_cfg = dict(type='Pretrained', checkpoint=self.checkpoint)


def _other_bands(given: tuple[int, ...], expected: tuple[int, ...]) -> bool:
    """Return whether two shapes are those of a convolution on another number of bands."""
    return len(given) == len(expected) == 4 and (given[0], *given[2:]) == (expected[0], *expected[2:])


def _network(module: nn.Module, names: Iterable[str]) -> str:
    """Describe the backbone that a config builds."""
    name = getattr(module, 'model_name', None)
    return f'{name} of timm' if name else describe_backbone(names)


def _left_out(names: list[str]) -> str:
    """Count the weights of heads by the first part of their names."""
    parts = Counter(name.split('.')[0] for name in names)
    return f'; left out: {", ".join(f"{part} {count}" for part, count in parts.items())}' if parts else ''
