"""What can be chosen in an audit."""

from typing import NamedTuple

from projects.false.common.errors import check_count, check_range


class Settings(NamedTuple):
    """What is audited, and how.

    Attributes:
        data_root: Labelled data as a converter leaves it.
        split: List of patches, ``splits/<split>.txt``.
        batches: Batches that are judged, of every checkpoint the same.
        scope: ``'view'`` or ``'patch'``: what the labels of a view are those of.
        level: Overlap of label histograms above which a pair shares its land cover, in [0, 1].
        threshold: T of the gate; None is that of the recipe's loss, -1 where it has none.
        seed: Of order, views and draws; None is that of the recipe.
        names: Determinations to audit; None is all.
        examples: Right and wrong pairs of each that are shown.
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
        """Refuse numbers out of range.

        Raises:
            InputError: A number is out of range.
        """
        check_count('--batches', self.batches)
        check_range('--overlap', self.level, 0, 1)
        if self.threshold is not None:
            check_range('--gate', self.threshold, -1, 1)
