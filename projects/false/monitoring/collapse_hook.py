"""Embeddings that collapse are told at once, and can end a run that is lost."""

from functools import partial

import torch
from mmengine.dist import all_gather, get_world_size
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.registry import HOOKS

from projects.false.common.errors import InputError, check_count, check_range

from .embeddings import collapse_signs, measure


@HOOKS.register_module()
class CollapseHook(Hook):
    """Measure the projections that the loss gets, and warn, or stop, where they collapse.

    The numbers of :class:`~projects.false.monitoring.embeddings.EmbeddingMeasures`, over the rows of all
    processes, go to the log and to every visualizer backend as ``embeddings/std`` and so on. The projections are those
    of the training step itself, so that nothing is computed twice and nothing is drawn: training with the hook equals
    training without it, bit for bit on a CPU.

    Args:
        interval: Iterations between two measurements, at least 1.
        begin: First iteration that is judged, at least 0; an untrained head may put all projections close together.
        least_std: Least mean standard deviation of a dimension, a share of that of projections spread evenly over the
            sphere, in [0, 1].
        least_rank: Least effective rank, at least 1.
        patience: Measurements in a row that show a collapse before the run ends, at least 1.
        stop: End the run. False only warns.

    Raises:
        InputError: An argument is out of range, the model has no ``head.loss_module``, or, with ``stop``, the
            embeddings collapsed.

    Example:
        >>> custom_hooks = [dict(type='CollapseHook', interval=50, stop=True)]
    """

    priority = 'BELOW_NORMAL'  # before what saves

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
        self._in_a_row, self._loaded, self._handle = 0, None, None
        self._views: tuple[torch.Tensor, torch.Tensor] | None = None

    def before_train(self, runner) -> None:
        """Listen to what the loss gets; go on counting where the checkpoint stopped."""
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        loss = getattr(getattr(model, 'head', None), 'loss_module', None)
        if loss is None:
            raise InputError(
                f'CollapseHook finds no model.head.loss_module in {type(model).__name__}; it watches FALSE and '
                'FALSEMoCo, remove it from custom_hooks'
            )
        self._in_a_row = self._loaded or 0 if runner.iter else 0
        self._wanted = False
        self.after_train(runner)
        self._handle = loss.register_forward_pre_hook(self._listen)

    def _listen(self, module, views) -> None:
        if self._wanted:
            self._views = views[0].detach(), views[1].detach()

    def before_train_iter(self, runner, batch_idx: int, data_batch=None) -> None:
        """Tell whether this iteration is measured."""
        self._wanted = (runner.iter + 1) % self.interval == 0

    def after_train_iter(self, runner, batch_idx: int, data_batch=None, outputs=None) -> None:
        """Measure, log and judge; alike on all processes."""
        if not self._wanted or self._views is None:
            return
        views, self._views, self._wanted = self._views, None, False
        if get_world_size() > 1:
            views = [torch.cat(all_gather(view.float().contiguous())) for view in views]
        if len(views[0]) < 2:
            raise InputError(
                'CollapseHook compares the images of a batch; set train_dataloader.batch_size to 2 or more'
            )
        measures, iteration = measure(*views), runner.iter + 1
        values = measures._asdict()
        runner.visualizer.add_scalars({f'embeddings/{name}': value for name, value in values.items()}, step=iteration)
        runner.logger.info('Embeddings: ' + ', '.join(f'{name} {value:.4g}' for name, value in values.items()))
        signs = self._signs_of(measures) if iteration > self.begin else []
        self._in_a_row = self._in_a_row + 1 if signs else 0
        if signs:
            self._tell(runner, iteration, signs)

    def _tell(self, runner, iteration: int, signs: list[str]) -> None:
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

    def after_train(self, runner) -> None:
        """Listen no more."""
        if self._handle is not None:
            self._handle.remove()

    def before_save_checkpoint(self, runner, checkpoint: dict) -> None:
        """Keep the count, so that a resumed run stops where an uninterrupted one does."""
        checkpoint['collapsed_in_a_row'] = self._in_a_row

    def after_load_checkpoint(self, runner, checkpoint: dict) -> None:
        """Take the count up; it counts only if the run goes on, not if it begins from these weights."""
        self._loaded = checkpoint.get('collapsed_in_a_row', 0)
