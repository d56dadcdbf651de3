"""Warn as soon as the embeddings of a run collapse, or end the run."""

from functools import partial
from typing import Any

import torch
from mmengine.dist import all_gather, get_world_size
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.registry import HOOKS
from mmengine.runner import Runner
from torch import nn

from projects.false.common.errors import InputError, check_count, check_range

from .embeddings import collapse_signs, measure


@HOOKS.register_module()
class CollapseHook(Hook):
    """Measure the projections that the loss compares, and warn or stop if they collapse.

    The numbers of :class:`.embeddings.EmbeddingMeasures`, over the rows of all processes, go to the log and to every
    visualizer backend as ``embeddings/std`` and so on. The hook measures the projections of the training step itself,
    so that nothing is computed twice and no random number is drawn: training with the hook equals training without it,
    bit for bit on a CPU.

    Args:
        interval: Iterations between two measurements, at least 1.
        begin: Iterations at the start that are measured but not judged, at least 0; an untrained head may put all
            projections close together.
        least_std: Smallest mean standard deviation per dimension that does not count as a collapse, relative to
            projections spread evenly over the sphere, in [0, 1].
        least_rank: Smallest effective rank that does not count as a collapse, at least 1.
        patience: Consecutive measurements that show a collapse before the run ends, at least 1.
        stop: End the run; False only warns.

    Raises:
        InputError: An argument is out of range, the model has no ``head.loss_module``, or, with ``stop``, the
            embeddings collapsed.

    Example:
        >>> custom_hooks = [dict(type='CollapseHook', interval=50, stop=True)]
    """

    priority = 'BELOW_NORMAL'  # runs before the hooks that save

    def __init__(
        self,
        interval: int = 50,
        begin: int = 200,
        least_std: float = 0.1,
        least_rank: float = 2.0,
        patience: int = 3,
        stop: bool = False,
    ) -> None:
        check_count('interval of CollapseHook', interval)
        check_count('patience of CollapseHook', patience)
        check_range('begin (an iteration) of CollapseHook', begin, 0, float('inf'))
        check_range('least_std of CollapseHook', least_std, 0, 1)
        check_range('least_rank of CollapseHook', least_rank, 1, float('inf'))
        self.interval, self.begin, self.patience, self.stop = interval, begin, patience, stop
        self._signs_of = partial(collapse_signs, least_std=least_std, least_rank=least_rank)
        self._in_a_row, self._in_a_row_of_checkpoint = 0, 0
        self._measures_this_iteration = False
        self._views: tuple[torch.Tensor, ...] | None = None
        self._handle: torch.utils.hooks.RemovableHandle | None = None

    def before_train(self, runner: Runner) -> None:
        """Catch the inputs of the loss; continue the count of the checkpoint."""
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        loss = getattr(getattr(model, 'head', None), 'loss_module', None)
        if loss is None:
            raise InputError(
                f'CollapseHook finds no model.head.loss_module in {type(model).__name__}; it monitors only FALSE '
                'and FALSEMoCo: remove it from custom_hooks'
            )
        self._in_a_row = self._in_a_row_of_checkpoint if runner.iter else 0
        self._measures_this_iteration = False
        self.after_train(runner)
        self._handle = loss.register_forward_pre_hook(self._keep_views)

    def _keep_views(self, module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        if self._measures_this_iteration:
            self._views = inputs[0].detach(), inputs[1].detach()

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Decide whether this iteration is measured."""
        self._measures_this_iteration = (runner.iter + 1) % self.interval == 0

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: dict[str, Any] | None = None
    ) -> None:
        """Measure and log the projections and look for a collapse, with the same result on all processes."""
        if not self._measures_this_iteration or self._views is None:
            return
        views, self._views, self._measures_this_iteration = self._views, None, False
        if get_world_size() > 1:
            views = tuple(torch.cat(all_gather(view.float().contiguous())) for view in views)
        if len(views[0]) < 2:
            raise InputError(
                'CollapseHook compares the images of a batch; set train_dataloader.batch_size to 2 or more'
            )
        measures, iteration = measure(views[0], views[1]), runner.iter + 1
        values = measures._asdict()
        runner.visualizer.add_scalars({f'embeddings/{name}': value for name, value in values.items()}, step=iteration)
        runner.logger.info('Embeddings: ' + ', '.join(f'{name} {value:.4g}' for name, value in values.items()))
        signs = self._signs_of(measures) if iteration > self.begin else []
        self._in_a_row = self._in_a_row + 1 if signs else 0
        if signs:
            self._warn_or_stop(runner, iteration, signs)

    def _warn_or_stop(self, runner: Runner, iteration: int, signs: list[str]) -> None:
        text = (
            f'the embeddings look collapsed at iteration {iteration} ({"; ".join(signs)}), {self._in_a_row} '
            'measurement(s) in a row'
        )
        if not self.stop or self._in_a_row < self.patience:
            runner.logger.warning(text)
            return
        raise InputError(
            f'{text}: lower the learning rate or model.head.loss.confidence_weight, or give CollapseHook stop=False'
        )

    def after_train(self, runner: Runner) -> None:
        """Remove the hook on the loss."""
        if self._handle is not None:
            self._handle.remove()

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Save the count, so that a resumed run stops where an uninterrupted one does."""
        checkpoint['collapsed_in_a_row'] = self._in_a_row

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Read the count; it is used only if the run resumes, not if a new run starts from these weights."""
        self._in_a_row_of_checkpoint = checkpoint.get('collapsed_in_a_row', 0)
