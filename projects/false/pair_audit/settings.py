"""The settings of an audit."""

from typing import NamedTuple

from projects.false.common.errors import check_count, check_range


class Settings(NamedTuple):
    """The settings that a user chooses for an audit.

    Attributes:
        data_root: Labelled data as a converter leaves it.
        split: Name of the list of patches, ``splits/<split>.txt``.
        batches: Number of batches that are judged, the same ones at every checkpoint, at least 1.
        scope: Where labels are counted: in the window of a ``'view'`` or in its whole ``'patch'``.
        level: Overlap of label histograms above which a pair shares its land cover, in [0, 1].
        threshold: T of the gate, in [-1, 1]; None takes that of the recipe's loss, or -1 where it has none.
        seed: Seed of order, views and draws; None takes that of the recipe.
        names: Determinations to audit; None audits all.
        examples: Right pairs, and wrong pairs, to show per determination, at least 0.
    """

    data_root: str
    split: str = 'pretrain'
    batches: int = 20
    scope: str = 'view'
    level: float = 0.8
    threshold: float | None = None
    seed: int | None = None
    names: list[str] | None = None
    examples: int = 4

    def check(self) -> None:
        """Refuse numbers out of range, by the names of their command line options.

        Raises:
            InputError: A number is out of range.
        """
        check_count('--batches', self.batches)
        check_range('--overlap', self.level, 0, 1)
        if self.threshold is not None:
            check_range('--gate', self.threshold, -1, 1)
