"""Probe the features with a few labels during pretraining, without disturbing it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from mmengine.dist import all_gather_object, broadcast, get_rank, get_world_size
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.registry import HOOKS
from mmengine.runner import Runner
from torch import Tensor, nn

from projects.false.common.errors import InputError, check_count
from projects.false.common.random_state import random_state, set_random_state
from projects.false.datasets.labelled_patches import ProbePatches
from projects.false.datasets.view_evidence import pipeline_steps

from .probes import accuracies, knn_predict, linear_predict


@contextmanager
def undisturbed(model: nn.Module) -> Iterator[None]:
    """Switch a model to evaluation without gradients inside the block, and restore everything afterwards.

    Every module returns to its own mode, since some may be in evaluation mode during training, and every random
    generator returns to its state. Evaluation reads batch statistics and does not write them. Running statistics differ
    between processes; all processes use those of the first one, which a checkpoint holds.

    Args:
        model: A model whose weights the block does not change.
    """
    modes = {module: module.training for module in model.modules()}
    state = random_state()
    buffers = list(model.buffers()) if get_world_size() > 1 else []
    own = [buffer.clone() for buffer in buffers]
    try:
        for buffer in buffers:
            broadcast(buffer)
        model.eval()
        with torch.no_grad():
            yield
    finally:
        for module, training in modes.items():
            module.training = training
        for buffer, value in zip(buffers, own, strict=True):
            buffer.copy_(value)
        set_random_state(state)


@HOOKS.register_module()
class ProbeHook(Hook):
    """Predict the dominant class of labelled patches from frozen features, before training and every few epochs.

    Features are the globally averaged last map of the backbone for whole patches, in evaluation mode and float32.
    Training with the hook equals training without it, bit for bit on a CPU. Results go to the log and to every
    visualizer backend as ``probe/knn`` and ``probe/linear`` (accuracies in percent), ``probe/knn_by_class`` and
    ``probe/linear_by_class`` (their means over the classes). Use the labels for monitoring only: a recipe
    that is chosen by these scores has used them, so leave the test list out. Needs mmseg.

    Args:
        interval: Epochs between two probes, at least 1; the last epoch is always probed.
        data_root: Labelled data as a converter leaves it; None takes the folder of the training data.
        known: List of the labelled patches that the probes learn from, relative to ``data_root``.
        tested: List of the patches to predict; None predicts each of ``known`` from all others, by kNN only.
        most: Largest number of patches per list, spread evenly over it, at least 1.
        neighbours: Number of neighbours that vote in kNN, at least 1.
        linear: Fit a linear classifier as well.
        batch_size: Patches per batch of the encoder, at least 1.

    Raises:
        InputError: An argument is out of range, there are no labelled patches, or some patches are in both lists.

    Example:
        >>> custom_hooks = [dict(type='ProbeHook', interval=5, known='splits/train.txt', tested='splits/val.txt')]
    """

    priority = 'BELOW_NORMAL'  # runs before the hooks that save

    def __init__(
        self,
        interval: int = 5,
        data_root: str | None = None,
        known: str = 'splits/train.txt',
        tested: str | None = 'splits/val.txt',
        most: int = 500,
        neighbours: int = 20,
        linear: bool = False,
        batch_size: int = 50,
    ) -> None:
        counts = {'interval': interval, 'most': most, 'neighbours': neighbours, 'batch_size': batch_size}
        for name, value in counts.items():
            check_count(f'{name} of ProbeHook', value)
        if linear and tested is None:
            raise InputError('linear of ProbeHook needs patches to predict; set tested, or linear=False')
        self.interval, self.data_root, self.known, self.tested = interval, data_root, known, tested
        self.most, self.neighbours, self.linear, self.batch_size = most, neighbours, linear, batch_size

    def before_train(self, runner: Runner) -> None:
        """Read the labels and probe the features that training starts with."""
        dataset = runner.train_dataloader.dataset
        root = self.data_root or getattr(dataset, 'data_root', None)
        if not root:
            raise InputError('ProbeHook has no labelled data; set its data_root')
        bands = next((step.bands for step in pipeline_steps(dataset) if hasattr(step, 'bands')), 3)
        self._known = ProbePatches(root, self.known, self.most, bands)
        self._tested: ProbePatches | None = None
        if self.tested is None:
            if len(self._known) < 2:
                path = os.path.join(root, self.known)
                raise InputError(f'{path}: a single labelled patch has no neighbours; list more')
        else:
            self._tested = ProbePatches(root, self.tested, self.most, bands)
            shared = set(self._known.names()).intersection(self._tested.names())
            if shared:
                raise InputError(
                    f'{os.path.join(root, self.tested)}: {len(shared)} patches, such as {min(shared)!r}, are also '
                    f'in {self.known}; set known and tested of ProbeHook to lists without common patches, or '
                    'tested=None'
                )
        if runner.iter == 0:
            self._probe(runner, 0)

    def after_train_epoch(self, runner: Runner) -> None:
        """Probe every ``interval`` epochs and after the last one."""
        epoch = runner.epoch + 1
        if epoch % self.interval == 0 or epoch == runner.max_epochs:
            self._probe(runner, epoch)

    def _probe(self, runner: Runner, epoch: int) -> None:
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        with undisturbed(model):
            percentages = self._accuracies(model)
        runner.visualizer.add_scalars({f'probe/{name}': value for name, value in percentages.items()}, step=runner.iter)
        numbers = ', '.join(f'{name} {value:.2f}' for name, value in percentages.items())
        runner.logger.info(f'Probe after {epoch} epochs: {numbers} % correct')

    def _accuracies(self, model: nn.Module) -> dict[str, float]:
        labels, classes = self._known.labels, self._known.classes
        known = features = self._features(model, self._known)
        expected, leave_one_out = labels, self._tested is None
        if self._tested is not None:
            features, expected = self._features(model, self._tested), self._tested.labels
        predicted = {'knn': knn_predict(known, labels, features, classes, self.neighbours, leave_one_out=leave_one_out)}
        if self.linear:
            predicted['linear'] = linear_predict(known, labels, features, classes)
        percentages = {}
        for name, prediction in predicted.items():
            percentages[name], percentages[f'{name}_by_class'] = accuracies(prediction, expected, classes)
        return percentages

    def _features(self, model: nn.Module, patches: ProbePatches) -> Tensor:
        """Return the features of all patches, (N, D), on the CPU; every process encodes a share of them."""
        mine = range(get_rank(), len(patches), get_world_size())
        rows = [
            self._encode(model, [patches.image(number) for number in mine[start : start + self.batch_size]])
            for start in range(0, len(mine), self.batch_size)
        ]
        parts = [part for part in all_gather_object(torch.cat(rows) if rows else None) if part is not None]
        features = parts[0].new_empty(len(patches), parts[0].shape[1])
        for rank, part in enumerate(parts):
            features[rank :: get_world_size()] = part
        return features

    @staticmethod
    def _encode(model: nn.Module, images: list[Tensor]) -> Tensor:
        preprocessor: Any = model.data_preprocessor
        features = model(preprocessor({'inputs': torch.stack(images)})['inputs'], mode='tensor')
        last = features if isinstance(features, Tensor) else features[-1]
        return last.float().mean((2, 3)).cpu()
