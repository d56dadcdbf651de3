"""Learning rate schedules of a new length, brought to where a run goes on."""

import copy
import warnings
from typing import Any

from projects.false.errors import InputError


class FreshSchedules:
    """The schedules of a run as its config builds them, kept to be used in place of a checkpoint's.

    A checkpoint brings the length and the learning rate of its own schedules along. MMEngine's schedules compute each
    value from the one before, so they are walked to the new place step by step.

    Args:
        runner: A runner whose optimizer and schedules are built and not resumed.
    """

    def __init__(self, runner) -> None:
        self._schedules = [copy.deepcopy(schedule.state_dict()) for schedule in runner.param_schedulers]
        names = {schedule.param_name for schedule in runner.param_schedulers}
        self._names = names | {f'initial_{name}' for name in names}
        self._values = [self._pick(group) for group in runner.optim_wrapper.param_groups]

    def restore_at(self, runner, epoch: int, iteration: int, epoch_length: int | None) -> None:
        """Give a resumed runner these schedules as they are after a number of iterations.

        Args:
            runner: The runner.
            epoch: Epochs done; one whose last iteration was just made is not.
            iteration: Iterations done.
            epoch_length: Iterations an epoch; None where training is counted in iterations.

        Raises:
            InputError: A schedule follows a metric of the validation, so its way cannot be walked again.
        """
        schedules = runner.param_schedulers
        for schedule in schedules:
            if getattr(schedule, 'need_val_args', False):
                raise InputError(
                    f'{type(schedule).__name__} follows a validation metric and cannot go on with epochs of another '
                    'length; resume with the global batch that the run began with'
                )
        for group, values in zip(runner.optim_wrapper.param_groups, self._values, strict=True):
            group.update(values)
        with warnings.catch_warnings():
            warnings.simplefilter('ignore', UserWarning)  # of steps without the optimizer's
            for schedule, state in zip(schedules, self._schedules, strict=True):
                schedule.load_state_dict(copy.deepcopy(state))
            for done in range(1, iteration + 1):
                whole = epoch_length and done % epoch_length == 0 and done // epoch_length <= epoch
                for by_epoch in (False, True) if whole else (False,):
                    for schedule in schedules:
                        if schedule.by_epoch == by_epoch:
                            schedule.step()

    def _pick(self, group: dict[str, Any]) -> dict[str, Any]:
        return {name: copy.deepcopy(group[name]) for name in self._names if name in group}
