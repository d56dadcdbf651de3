"""Convert ResNet weights from the format of one library to that of another, either all tensors or none."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from projects.false.common.errors import InputError

from ..checkpoints.files import SUFFIX, read_checkpoint, write_checkpoint, write_safetensors
from .backbone import backbone_meta, backbone_weights
from .matching import KeyReport, check_finite, compare_keys, shapes_of
from .resnet import DEPTHS, FoundResNet, describe_backbone, find_resnet, resnet_layout, resnet_shapes, tensors_of
from .timm_names import PREFIX, timm_names

FORMS = ('ours', 'mmseg', 'torchvision', 'timm')  # tools/model_converters/convert_weights.py explains each one
_HEADS = ('decode_head.', 'auxiliary_head.')


@dataclass(frozen=True)
class Conversion:
    """The outcome of :func:`convert_weights`.

    Attributes:
        source: The ResNet that was found, and its prefix in the file.
        report: Its names compared with those of the target format.
        heads: Number of tensors of segmentation heads that were also copied.
    """

    source: str
    report: KeyReport
    heads: int


def convert_weights(
    path: str | os.PathLike, out: str | os.PathLike, form: str, prefix: str | None = None
) -> Conversion:
    """Convert the weights of a ResNet, or those of a TimmBackbone.

    Args:
        path: Checkpoint of this project or of any library with a ResNet in it, ``.safetensors`` or PyTorch's.
        out: File to write: ``.safetensors``, ``.pth`` or ``.pt``.
        form: Target format, one of :data:`FORMS`.
        prefix: Prefix of the ResNet's names in the file; None searches for it.

    Returns:
        The weights that were matched, missing and left out.

    Raises:
        InputError: The file is missing or unsafe, or holds no complete ResNet of standard shapes; or the output cannot
            be written.

    Example:
        >>> convert_weights('work_dirs/simclr_r18_mbrsc/epoch_20.pth', 'resnet18.safetensors', 'torchvision')
    """
    if form not in FORMS:
        raise InputError(f'unknown form {form!r}; choose one of {", ".join(FORMS)}')
    _check_out(Path(path).expanduser(), Path(out))
    checkpoint = read_checkpoint(path)
    heads = _heads(checkpoint) if form == 'mmseg' else {}
    of_timm = _of_timm(checkpoint, form, os.fspath(path), prefix)
    if of_timm is not None:
        weights, report = of_timm
        source = f"a network of timm under '{PREFIX}'"
    else:
        found = find_resnet(checkpoint, os.fspath(path), prefix)
        report = _compare(found, form, heads)
        problem = _problem(found, report, form)
        if problem:
            raise InputError(f'{os.fspath(path)}: {problem}')
        weights = {name: _own(found.weights[name]) for name in report.matched}
        source = f'{describe_backbone(report.matched)} under {found.prefix!r}'
    meta = checkpoint.get('meta') if isinstance(checkpoint, Mapping) else None
    meta = meta if isinstance(meta, Mapping) else {}
    new_meta = backbone_meta(weights, meta)
    if form == 'mmseg':
        weights = {f'backbone.{name}': value for name, value in weights.items()} | heads
        if heads and isinstance(meta.get('dataset_meta'), Mapping):
            new_meta['dataset_meta'] = dict(meta['dataset_meta'])
    _write(weights, Path(out), form, new_meta)
    return Conversion(source, report, len(heads))


def _of_timm(checkpoint: Any, form: str, path: str, prefix: str | None) -> tuple[dict[str, Tensor], KeyReport] | None:
    """Return the weights of a TimmBackbone under the names of ``form``; None if the file has no such backbone."""
    tensors = backbone_weights(checkpoint) or tensors_of(checkpoint)
    inside = {name: _own(value) for name, value in tensors.items() if name.startswith(PREFIX)}
    if not inside or prefix is not None:
        return None
    if form == 'torchvision':
        raise InputError(f'{path}: holds a network of timm, which has other names in torchvision; give --to timm')
    check_finite(inside, path)
    weights = timm_names(inside) if form == 'timm' else inside
    others = [name for name in tensors if name not in inside]
    return weights, KeyReport(tuple(weights), (), tuple(others), ())


def _heads(checkpoint: Any) -> dict[str, Tensor]:
    return {name: _own(value) for name, value in tensors_of(checkpoint).items() if name.startswith(_HEADS)}


def _compare(found: FoundResNet, form: str, heads: Mapping[str, Tensor]) -> KeyReport:
    depth = (resnet_layout(found.weights) or (None, None, None))[2]
    stem = found.weights.get('conv1.weight')
    bands = stem.shape[1] if form != 'torchvision' and stem is not None and stem.ndim == 4 else 3
    others = [name for name in found.others if name not in heads]
    return compare_keys(shapes_of(found.weights), resnet_shapes(depth, bands) if depth else {}, others)


def _problem(found: FoundResNet, report: KeyReport, form: str) -> str | None:
    resnet = f'{describe_backbone(found.weights)} under {found.prefix!r}'
    if not report.matched and not report.reshaped:
        depths = ', -'.join(map(str, DEPTHS))
        return f'{resnet} is not a standard one, {report.text()}; {form} takes ResNet-{depths}'
    if report.reshaped:
        name, given, expected = report.reshaped[0]
        return (
            f'{len(report.reshaped)} weights of {resnet} have a shape that {form} does not take, the first is {name}: '
            f'{given} instead of {expected}; give a ResNet of standard width'
            f'{" and three bands" if form == "torchvision" else ""} ({report.text()})'
        )
    if report.needed():
        return f'{resnet} is incomplete or has another stem: {report.text()}; give the complete file of a plain ResNet'
    return None


def _own(value: Tensor) -> Tensor:
    return value.detach().cpu().contiguous().clone()


def _check_out(source: Path, out: Path) -> None:
    if out.suffix not in ('.pth', '.pt', SUFFIX):
        raise InputError(f'{out}: unknown kind of file; give a name that ends in .pth, .pt or {SUFFIX}')
    if out.is_dir():
        raise InputError(f'{out}: is a folder; give the name of a file')
    if out.exists() and source.exists() and out.samefile(source):
        raise InputError(f'{out}: is the file to convert; give another name for the new one')


def _write(weights: dict[str, Tensor], out: Path, form: str, meta: dict[str, Any]) -> None:
    if out.suffix == SUFFIX:
        write_safetensors(weights, out, meta)
    elif form in ('ours', 'mmseg'):
        write_checkpoint({'state_dict': weights, 'meta': meta}, out)
    else:
        write_checkpoint(weights, out)
