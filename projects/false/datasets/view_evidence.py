"""Evidence of what a view shows, found without the network and without labels, for determination ``evidence``."""

import json
import os
from contextlib import suppress
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform
from mmengine.registry import TRANSFORMS

from projects.false.common.errors import InputError
from projects.false.imagery.images import read_index_mask
from projects.false.imagery.palettes import MAX_CLASSES
from projects.false.patch_folder.appearance import FILE, Appearance, fit_appearance, fit_folder
from projects.false.patch_folder.lists import file_in_any_form
from projects.false.patch_folder.places import described_folder, name_of_patch, read_places

from .loading import LoadPatch
from .view_labels import window_shares

MAPS_FILE = 'maps.json'
CODES = {'clusters': Appearance.shares, 'quantiles': Appearance.codes}
"""What :class:`ViewAppearance` can store."""


@TRANSFORMS.register_module()
class ViewAppearance(BaseTransform):
    """Store what each view looks like, before any colour jitter, as ``results['evidence']``.

    Place it after :class:`ContrastiveViews`. The clusters come from ``appearance.json``, in the folder of the image or
    in one above it. Training makes that file if it is missing; ``tools/fit_appearance.py`` offers other settings.

    Args:
        file: Another file of clusters; None looks for ``appearance.json``.
        code: ``'clusters'`` stores shares of K clusters. ``'quantiles'`` stores the shares above Q quantiles, for every
            feature of colour and texture alone; determination ``evidence`` then needs ``compare='distance'``.

    Shape:
        - ``evidence``: (views, K), or (views, (bands + 1) * Q) for quantiles, float32, of the window of each view

    Example:
        ``pipeline=[..., dict(type='ContrastiveViews', ...), dict(type='ViewAppearance'),
        dict(type='PackInputs', algorithm_keys=['evidence'])]``
    """

    def __init__(self, file: str | None = None, code: str = 'clusters') -> None:
        if code not in CODES:
            raise InputError(f'code of ViewAppearance is {code!r}; give one of {", ".join(CODES)}')
        self.file, self.code = file, code
        self.compare = 'distance' if code == 'quantiles' else 'overlap'  # as determination evidence has to

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Find what both views look like.

        Raises:
            InputError: There is no file of clusters, it is damaged, or made for another number of bands, or no earlier
                step stored the windows of the views.
        """
        if 'view_windows' not in results:
            raise InputError('ViewAppearance needs to know what each view shows; put it after ContrastiveViews')
        appearance = _read_once(self.file) if self.file else _appearance_of(os.path.dirname(results['img_path']))
        results['evidence'] = CODES[self.code](appearance, results['views_of'], results['view_windows'])
        return results


@TRANSFORMS.register_module()
class ViewMaps(BaseTransform):
    """Store what each view shows by maps of the patches, as ``results['evidence']``.

    A map assigns every pixel of a patch to a kind: land cover predicted by a model, or a cluster of the features of
    another network. Place this step after :class:`ContrastiveViews`. Maps are read anew at every visit, so that
    training picks up maps that a tool writes meanwhile.

    Args:
        folder: Where the maps are, named like the patches: ``NAME.png``, as ``tools/cluster_features.py`` and
            ``tools/test.py --predictions`` write them, or ``NAME_classes.tif`` of ``tools/infer.py``. 255 is unknown.
        kinds: Number of kinds; None reads it from ``maps.json``, which the tools that make such maps write.

    Shape:
        - ``evidence``: (views, kinds), float32, the share of every kind among the known pixels in the window of each
          view. A view without known pixels has zeros and resembles no other.

    Raises:
        InputError: ``kinds`` is out of range, or not given where ``maps.json`` is missing.

    Example:
        ``train_dataloader = dict(dataset=dict(evidence=dict(type='ViewMaps', folder='work_dirs/maps', kinds=5)))``
    """

    compare = 'overlap'

    def __init__(self, folder: str, kinds: int | None = None) -> None:
        self.folder = Path(folder)
        found = kinds_of_maps(self.folder) if kinds is None else kinds
        if not isinstance(found, int) or isinstance(found, bool) or not 1 <= found <= MAX_CLASSES:
            raise InputError(f'kinds of ViewMaps is a number from 1 to {MAX_CLASSES}, got {found!r}')
        self.kinds = found

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Read the map of the patch and count in the windows of its views.

        Raises:
            InputError: The map is missing, damaged, of other kinds or of another size, or no earlier step stored the
                windows of the views.
        """
        if 'view_windows' not in results:
            raise InputError('ViewMaps needs to know what each view shows; put it after ContrastiveViews')
        path = self._map_of(Path(results['img_path']))
        kinds, size = read_index_mask(path, self.kinds), results['views_of'].shape[:2]
        if kinds.shape != size:
            raise InputError(
                f'{path}: map of {kinds.shape[1]}x{kinds.shape[0]} pixels for an image of {size[1]}x{size[0]} '
                f'({results["img_path"]}); make the maps again, of these patches'
            )
        results['evidence'] = window_shares(kinds, results['view_windows'], self.kinds)
        return results

    def _map_of(self, patch: Path) -> Path:
        names = dict.fromkeys((name_of_patch(patch), patch.stem))
        endings = ('.png', '_classes.tif')
        paths = [file_in_any_form(self.folder, f'{name}{ending}') for name in names for ending in endings]
        for path in paths:
            if path.is_file():
                return path
        raise InputError(f'{paths[0]}: no map of {patch}; make the maps again, of all patches of the training')


@TRANSFORMS.register_module()
class ViewPlace(BaseTransform):
    """Store where each view lies, as ``results['place']``, for determinations ``place`` and ``other_place``.

    Place it after :class:`ContrastiveViews`. ``dataset.json`` of the data tells where a patch was cut.

    Shape:
        - ``place``: (views, 5), float32: number of the raster, then top, left, bottom and right of the window in its
          pixels

    Example:
        ``train_dataloader = dict(dataset=dict(evidence=[dict(type='ViewAppearance'), dict(type='ViewPlace')]))``
    """

    field = 'place'

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Look up the patch and add the windows of its views.

        Raises:
            InputError: ``dataset.json`` is missing, damaged, or does not know the patch, or no earlier step stored the
                windows of the views.
        """
        if 'view_windows' not in results:
            raise InputError('ViewPlace needs to know what each view shows; put it after ContrastiveViews')
        path = Path(results['img_path'])
        places = read_places(described_folder(path.parent))
        raster, row, column = places.of([name_of_patch(path)])[0]
        corners = results['view_windows'][:, :2] + (row, column)
        ends = corners + results['view_windows'][:, 2:]
        results['place'] = np.column_stack([np.full(len(corners), raster), corners, ends]).astype(np.float32)
        return results


def kinds_of_maps(folder: Path) -> int:
    """Read the number of kinds from ``maps.json``.

    Raises:
        InputError: The file is missing or damaged.
    """
    path = folder / MAPS_FILE
    try:
        return int(json.loads(path.read_text(encoding='utf-8'))['kinds'])
    except FileNotFoundError:
        raise InputError(f'{path}: no such file; give the number of kinds as ViewMaps(kinds=...)') from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f'{path}: not readable ({error!r}); make the maps again, for example with tools/cluster_features.py'
        ) from error


def appearance_file(folder: Path) -> Path:
    """Find ``appearance.json`` in a folder or in one of those above it.

    Raises:
        InputError: There is none.
    """
    for above in (folder, *folder.parents):
        if (above / FILE).is_file():
            return above / FILE
    raise InputError(f'{folder}: no {FILE} here or above; make it with tools/fit_appearance.py DATA')


@lru_cache(maxsize=4096)
def _appearance_of(folder: str) -> Appearance:
    return _read_once(str(appearance_file(Path(folder))))


@lru_cache(maxsize=16)
def _read_once(path: str) -> Appearance:
    return Appearance.read(Path(path))


def finds_appearance(dataset: Any) -> bool:
    """Return True if the pipeline of a data set, or of a part of it, needs the clusters that training may fit."""
    return any(isinstance(step, ViewAppearance) and step.file is None for step in pipeline_steps(dataset))


def pipeline_steps(dataset: Any) -> list[Any]:
    """Return the steps of the pipeline of a data set, or of all its parts."""
    return [step for steps in _pipelines(dataset) for step in steps]


def parts_of(dataset: Any) -> list[Any]:
    """Return the data sets that a joined or repeated one is made of at any depth, each once."""
    wrapped = getattr(dataset, 'datasets', None) or ([dataset.dataset] if hasattr(dataset, 'dataset') else None)
    if wrapped is None:
        return [dataset]
    return list({id(part): part for inner in wrapped for part in parts_of(inner)}.values())


def _pipelines(dataset: Any) -> list[Any]:
    return [getattr(getattr(part, 'pipeline', None), 'transforms', ()) for part in parts_of(dataset)]


def fit_missing_appearance(dataset: Any, whole_folder: bool = False) -> Path | None:
    """Fit the clusters that the pipeline of a data set needs and its folder lacks.

    Args:
        dataset: The data set of a training.
        whole_folder: Fit them to the patches that a pretraining would take, instead of those of the data set.

    Returns:
        The file, if it was made.

    Raises:
        InputError: The folder of the data cannot be written to, an image is unusable, or several data sets are joined,
            whose clusters would differ.
    """
    if not finds_appearance(dataset):
        return None
    pipelines = _pipelines(dataset)
    if len(pipelines) > 1:
        raise InputError(
            'data sets that are joined need clusters in common: make them with tools/fit_appearance.py, and give that '
            'file as ViewAppearance(file=...) of all pipelines'
        )
    (dataset,) = parts_of(dataset)
    load = next(step for step in pipelines[0] if isinstance(step, LoadPatch))
    root = Path(dataset.data_root or Path(dataset.get_data_info(0)['img_path']).parent)
    folder = root if root.is_dir() else root.parent
    with suppress(InputError):
        appearance_file(folder.absolute())
        return None
    fitted = fit_folder(root) if whole_folder else fit_appearance(partial(_read_patch, dataset, load), len(dataset))
    fitted.write(folder / FILE)
    return folder / FILE


def _read_patch(dataset: Any, load: LoadPatch, number: int) -> np.ndarray:
    """Read a patch, or the next readable one where the data set may skip some."""
    for following in range(len(dataset)):
        try:
            patch: np.ndarray = load(dataset.get_data_info((number + following) % len(dataset)))['img']
            return patch
        except InputError:
            if not getattr(dataset, 'max_unreadable', 0):
                raise
    raise InputError(f'none of the {len(dataset)} images can be read; check data_root')
