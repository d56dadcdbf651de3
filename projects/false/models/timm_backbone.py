"""Any network of timm as a backbone with four feature maps, for pretraining and segmentation alike."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from mmengine.model import BaseModule
from mmengine.registry import MODELS
from torch import Tensor, nn
from torch.nn import functional

from projects.false.common.errors import InputError, check_count

_STAGES = 4


@MODELS.register_module()
class TimmBackbone(BaseModule):
    """A network of timm (``timm.list_models()``) without its classifier.

    Networks in stages, such as ResNet, EfficientNet, ConvNeXt and Swin, give the maps of their last four strides. A
    vision transformer has one stride; four of its blocks, evenly spaced, are resized to the strides 4, 8, 16 and 32,
    which makes a feature pyramid without weights of its own.

    The weights have timm's names after ``timm_model.``, as in mmpretrain's TIMMBackbone. ``init_cfg`` takes a file of
    timm or of this project (:class:`~projects.false.engine.weights.pretrained_backbone.PretrainedBackbone`).

    Args:
        model_name: Name of the network in timm, such as ``'convnext_tiny'``.
        in_channels: Bands of the images.
        out_indices: Which of the four maps to return, 0 for the finest to 3, in ascending order. Default: all.
        frozen_stages: -1 trains everything, 4 nothing; timm does not say where other stages begin and end.
        norm_eval: Keep the running statistics of batch normalisation as they are.
        init_cfg: MMEngine initializer; None draws the weights as timm does.
        kwargs: Further arguments of ``timm.create_model``, such as ``drop_path_rate``.

    Attributes:
        channels: Channels of the returned maps: ``in_channels`` of a decode head, the last one that of a neck.
        strides: Pixels of the image per cell of the returned maps.

    Shape:
        - input: (N, in_channels, H, W)
        - output: a map (N, channels, ceil(H / stride), ceil(W / stride)) per entry of ``out_indices``, the finest first

    Raises:
        InputError: timm is not installed, has no such network, the network has no feature maps, or an argument is out
            of range.
    """

    timm_model: Any  # PyTorch types every attribute of a module as a tensor, too

    def __init__(
        self,
        model_name: str,
        in_channels: int = 3,
        out_indices: Sequence[int] = (0, 1, 2, 3),
        frozen_stages: int = -1,
        norm_eval: bool = False,
        init_cfg: dict | list | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(init_cfg)
        check_count('in_channels of TimmBackbone', in_channels)
        self.model_name = model_name
        if frozen_stages not in (-1, _STAGES):
            raise InputError(
                f'frozen_stages of TimmBackbone must be -1 or {_STAGES}, got {frozen_stages!r}: timm does not say '
                'where other stages end'
            )
        self.out_indices = _ascending(out_indices)
        self.timm_model, indices, self.plain = _without_classifier(model_name, in_channels, kwargs)
        stages = [self.timm_model.feature_info[index] for index in indices]
        strides = (4, 8, 16, 32) if self.plain else tuple(stage['reduction'] for stage in stages)
        self._divisor = tuple(self.timm_model.patch_embed.patch_size) if self.plain else (max(strides),) * 2
        self.indices = [indices[index] for index in self.out_indices]
        self.channels = tuple(stages[index]['num_chs'] for index in self.out_indices)
        self.strides = tuple(strides[index] for index in self.out_indices)
        self.frozen, self.norm_eval = frozen_stages == _STAGES, norm_eval
        if self.frozen:
            self.requires_grad_(False)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return the feature maps."""
        height, width = images.shape[2:]
        rows, columns = self._divisor
        padded = functional.pad(images, (0, -width % columns, 0, -height % rows))
        try:
            maps = self.timm_model.forward_intermediates(
                padded, indices=self.indices, norm=self.plain, output_fmt='NCHW', intermediates_only=True
            )
        except AssertionError as error:
            raise InputError(
                f'{self.model_name} does not take images of {width} x {height} ({error}); take another network for '
                'model.backbone.model_name'
            ) from error
        sizes = [(-(-height // stride), -(-width // stride)) for stride in self.strides]
        if self.plain:
            fit = partial(functional.interpolate, mode='bilinear')
            return tuple(fit(cells, size) for cells, size in zip(maps, sizes, strict=True))
        return tuple(cells[..., :tall, :wide] for cells, (tall, wide) in zip(maps, sizes, strict=True))

    def train(self, mode: bool = True) -> 'TimmBackbone':
        """Set the training mode; frozen parts, and batch normalisation with ``norm_eval``, stay in test mode."""
        super().train(mode and not self.frozen)
        if self.norm_eval:
            for module in self.modules():
                if isinstance(module, nn.modules.batchnorm._BatchNorm):
                    module.eval()
        return self


def _ascending(indices: Sequence[int]) -> tuple[int, ...]:
    """Check ``out_indices``."""
    known = range(_STAGES)
    whole = isinstance(indices, Sequence) and all(isinstance(index, int) and index in known for index in indices)
    if not whole or not indices or sorted(set(indices)) != list(indices):
        raise InputError(
            f'out_indices of TimmBackbone: {indices!r}; give some of 0 to {_STAGES - 1} in ascending order, as (3,)'
        )
    return tuple(indices)


def _without_classifier(name: str, bands: int, options: dict[str, Any]) -> tuple[Any, list[int], bool]:
    """Build a network; return it, the indices of its four maps, and whether it is a plain transformer of one stride."""
    try:
        import timm
    except ImportError as error:
        raise InputError('TimmBackbone needs timm; install it with: pip install "timm>=1.0,<2"') from error
    if not isinstance(name, str) or not timm.is_model(name):
        near = ', '.join(timm.list_models(f'*{name}*')[:3]) if isinstance(name, str) and name else ''
        raise InputError(
            f'model_name of TimmBackbone: timm {timm.__version__} has no {name!r}; '
            f'{f"there is {near}" if near else "timm.list_models() has the names"}'
        )
    network = _of_any_size(timm.create_model, name, in_chans=bands, num_classes=0, **options)
    stages = list(getattr(network, 'feature_info', ()))
    plain = len({stage['reduction'] for stage in stages}) == 1
    usable = hasattr(network, 'forward_intermediates') and (not plain or hasattr(network, 'patch_embed'))
    if len(stages) < _STAGES or not usable:
        raise InputError(
            f'model_name of TimmBackbone: {name} gives no {_STAGES} feature maps; take a network of stages or a ViT'
        )
    if plain:
        indices = [len(stages) * (part + 1) // _STAGES - 1 for part in range(_STAGES)]
    else:
        indices = list(range(len(stages) - _STAGES, len(stages)))
    network.prune_intermediate_layers(indices, prune_norm=not plain, prune_head=True)
    return network, indices, plain


def _of_any_size(create: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """Build a network that takes images of any size, where timm allows it."""
    for freed in ({'dynamic_img_size': True}, {'strict_img_size': False}, {}):
        try:
            return create(*args, **{**freed, **options})
        except TypeError as error:
            if not any(name in str(error) for name in freed):
                raise
    raise AssertionError('the last try names nothing')
