"""Tell rules that take turns how far training has progressed."""

from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from projects.false.common.errors import InputError
from projects.false.losses.determinations import Determination
from projects.false.losses.determinations.combined import InTurn, turns


@HOOKS.register_module()
class DeterminationScheduleHook(Hook):
    """Switch determination ``in_turn`` from one rule to the next in the course of training.

    The rule depends on the iteration alone, so a resumed run continues with the same one. The log shows the number of
    the rule, from 0, as ``determination_turn``.

    Raises:
        InputError: Training starts and no loss has the determination ``in_turn``.

    Example:
        >>> rules = ['evidence', dict(type='all_of', rules=['evidence', dict(type='topk', k=20, floor=-1)])]
        >>> determination = dict(type='in_turn', rules=rules, at=[0.5])
        >>> custom_hooks = [dict(type='DeterminationScheduleHook')]
    """

    def before_train(self, runner) -> None:
        """Find the rules."""
        rules = (getattr(module, 'determination', None) for module in runner.model.modules())
        self._turns: list[InTurn] = [turn for rule in rules if isinstance(rule, Determination) for turn in turns(rule)]
        if not self._turns:
            raise InputError(
                'DeterminationScheduleHook found no loss with determination in_turn; set '
                'model.head.loss.determination or remove the hook'
            )

    def before_train_iter(self, runner, batch_idx: int, data_batch=None) -> None:
        """Tell the rules the finished share of training before the coming iteration."""
        progress = runner.iter / runner.max_iters
        for turn in self._turns:
            turn.progress = progress
        runner.message_hub.update_scalar('train/determination_turn', self._turns[0].turn)

    def after_train(self, runner) -> None:
        """Forget the share, since the model may be used for another run."""
        for turn in self._turns:
            turn.progress = None
