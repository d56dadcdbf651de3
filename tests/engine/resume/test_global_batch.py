"""A changed global batch on resuming, and the iteration that a run goes on at."""

import pytest
import torch
from mmengine.optim import OptimWrapper, OptimWrapperDict

from projects.false.common.errors import InputError
from projects.false.engine.resume.global_batch import (
    GlobalBatch,
    accumulation_of,
    compare_batches,
    equivalent_iteration,
    global_batch,
)

BEFORE = GlobalBatch(processes=2, per_process=128, epoch_length=10)


def test_nothing_changed() -> None:
    assert compare_batches(BEFORE, BEFORE, allowed=False) is None


def test_same_global_batch_on_other_processes_is_said() -> None:
    said = compare_batches(BEFORE, GlobalBatch(4, 64, 10), allowed=False)
    assert '256 = 4 process(es) x 64, previously 256 = 2 process(es) x 128; the global batch is unchanged' in said


def test_other_global_batch_is_an_error_unless_asked_for() -> None:
    now = GlobalBatch(1, 128, 20)
    with pytest.raises(InputError) as caught:
        compare_batches(BEFORE, now, allowed=False)
    for words in ('256 = 2 process(es) x 128', '128 = 1 process(es) x 128', 'is 256 over all', '--allow-other-batch'):
        assert words in str(caught.value)
    assert 'as requested: 128 = 1 process(es) x 128, previously 256' in compare_batches(BEFORE, now, allowed=True)


def test_images_per_step_of_the_optimizer() -> None:
    assert global_batch(4, 2) == 8
    assert global_batch(4, 2, 3) == GlobalBatch(2, 4, 10, 3).images == 24
    assert str(GlobalBatch(2, 4, 10, 3)) == '24 = 2 process(es) x 4 x 3 accumulated'
    assert GlobalBatch(processes=2, per_process=4, epoch_length=10).accumulation == 1  # from an older checkpoint


def test_accumulation() -> None:
    def wrapper(counts: int) -> OptimWrapper:
        return OptimWrapper(torch.optim.SGD([torch.zeros(1)], lr=1), accumulative_counts=counts)

    assert accumulation_of(wrapper(3)) == 3
    assert accumulation_of(OptimWrapperDict(a=wrapper(1), b=wrapper(2))) == 2


def test_checkpoint_without_a_note() -> None:
    assert 'does not record its global batch; this run has 256' in compare_batches(None, BEFORE, allowed=False)


@pytest.mark.parametrize(
    ('before', 'now', 'iteration', 'expected'),
    [(10, 20, 30, 60), (10, 3, 30, 9), (10, 10, 34, 34), (None, None, 34, 34), (10, None, 30, 30)],
)
def test_equivalent_iteration(before, now, iteration, expected) -> None:
    assert equivalent_iteration(GlobalBatch(1, 8, before), GlobalBatch(1, 4, now), iteration) == expected


def test_within_an_epoch_there_is_no_equivalent_iteration() -> None:
    with pytest.raises(InputError, match='34 iterations, epochs of 10'):
        equivalent_iteration(BEFORE, GlobalBatch(1, 128, 20), 34)
