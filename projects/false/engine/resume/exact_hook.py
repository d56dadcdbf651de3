"""Resume bit for bit: k iterations, an interruption and k more iterations equal 2k iterations, dropout included."""

from collections.abc import Iterator

import torch
from mmengine.dist import all_gather_object, get_rank, get_world_size
from mmengine.hooks import CheckpointHook, Hook
from mmengine.registry import HOOKS
from mmengine.runner import set_random_seed
from torch import Tensor
from torch.nn import Parameter
from torch.utils.data import DataLoader

from projects.false.common.random_state import random_state, set_random_state

from .global_batch import accumulation_of


@HOOKS.register_module()
class ExactResumeHook(Hook):
    """Save the random state of every process with each checkpoint and restore it on resuming.

    So are, between two steps of the optimizer, the gradients that each process has accumulated.

    Data loaders get their own generators and validation restores the random state, so that nothing is drawn from the
    global generators between two training iterations. The order of the samples and their augmentation come from
    :class:`~projects.false.datasets.seeding.SeededSampler`. Loading weights with ``load_from`` starts a new run and
    restores no random state.

    Example:
        >>> custom_hooks = [dict(type='ExactResumeHook')]
    """

    priority = 80  # after everything that trains or logs, before CheckpointHook (VERY_LOW, 90)

    def __init__(self) -> None:
        self._states: tuple[int, list[dict]] | None = None  # iteration and the states of all processes
        self._loaded: tuple[int | None, list[dict]] | None = None  # iteration of the checkpoint and the states
        self._before_val: dict | None = None

    def before_train(self, runner) -> None:
        """Give each loader its own generator; drop a loaded state unless this run resumes its checkpoint."""
        for loop in (runner.train_loop, runner.val_loop):
            loader = getattr(loop, 'dataloader', None)
            if isinstance(loader, DataLoader):
                loader.generator = torch.Generator().manual_seed(runner.seed)
        # Only Runner.resume sets the iteration counter; Runner.load_checkpoint leaves it at 0.
        if self._loaded and (runner.iter == 0 or runner.iter != self._loaded[0]):
            self._loaded = None

    def before_train_iter(self, runner, batch_idx: int, data_batch=None) -> None:
        """Restore the random state before the first step after resuming."""
        if self._loaded is None:
            return
        (_, states), self._loaded = self._loaded, None
        if len(states) == get_world_size():
            set_random_state(states[get_rank()])
            _set_gradients(runner, states[get_rank()].get('gradients', {}))
            return
        runner.logger.warning(
            f'the checkpoint has the random state of {len(states)} processes and this run has {get_world_size()}: '
            'the generators are reseeded, so the result differs from an uninterrupted run'
        )
        different = runner.cfg.get('randomness', {}).get('diff_rank_seed', False)
        set_random_seed((runner.seed + runner.iter) % 2**32, diff_rank_seed=different)

    def after_train_iter(self, runner, batch_idx: int, data_batch=None, outputs=None) -> None:
        """Collect the states of all processes just before CheckpointHook saves by iteration."""
        hooks = [hook for hook in runner.hooks if isinstance(hook, CheckpointHook) and not hook.by_epoch]
        if any(
            self.every_n_train_iters(runner, hook.interval, hook.save_begin)
            or (hook.save_last and self.is_last_train_iter(runner))
            for hook in hooks
        ):
            self._collect(runner)

    def after_train_epoch(self, runner) -> None:
        """Collect the states of all processes before CheckpointHook saves by epoch."""
        self._collect(runner)

    def before_val(self, runner) -> None:
        """Remember the random state of training."""
        self._before_val = random_state()

    def after_val_epoch(self, runner, metrics=None) -> None:
        """Restore the random state before CheckpointHook saves the best checkpoint."""
        if self._before_val is not None:
            set_random_state(self._before_val)
            self._before_val = None
            self._collect(runner)

    def before_save_checkpoint(self, runner, checkpoint: dict) -> None:
        """Add the states, which were collected beforehand because only the first process saves."""
        iteration, states = self._states or (None, [])
        checkpoint['rng'] = states if iteration == runner.iter else [_state(runner)]

    def after_load_checkpoint(self, runner, checkpoint: dict) -> None:
        """Keep the states until it is clear whether this run resumes the checkpoint or only loads weights."""
        states = checkpoint.get('rng')
        self._loaded = (checkpoint['meta'].get('iter'), states) if states else None

    def go_on_at(self, iteration: int) -> None:
        """Tell the hook that the resumed run continues at a different iteration from that of its checkpoint."""
        if self._loaded is not None:
            self._loaded = (iteration, self._loaded[1])

    def _collect(self, runner) -> None:
        if get_world_size() > 1:
            self._states = (runner.iter, all_gather_object(_state(runner)))


def _state(runner) -> dict:
    """Return the random state of this process, and what it has of gradients that wait for a step of the optimizer."""
    state = random_state()
    if accumulation_of(runner.optim_wrapper) > 1:
        gradients = {name: weight.grad for name, weight in _weights(runner) if weight.grad is not None}
        state['gradients'] = {name: gradient.detach().cpu().clone() for name, gradient in gradients.items()}
    return state


def _set_gradients(runner, gradients: dict[str, Tensor]) -> None:
    if not gradients or accumulation_of(runner.optim_wrapper) == 1:
        return
    for name, weight in _weights(runner):
        if name in gradients:
            weight.grad = gradients[name].to(weight)
    runner.logger.info('the gradients accumulated before the interruption are restored, none is lost')  # MMEngine warns


def _weights(runner) -> Iterator[tuple[str, Parameter]]:
    model = getattr(runner.model, 'module', runner.model)
    yield from model.named_parameters()
