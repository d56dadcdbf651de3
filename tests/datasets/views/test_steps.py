import numpy as np
import pytest

from projects.false import InputError
from projects.false.common.random_state import seeded
from projects.false.datasets.views.steps import HUE, NEUTRAL, ORDER, ColorSteps, ViewSteps
from projects.false.datasets.views.views import ContrastiveViews


def test_switched_off_nothing_is_left_to_do():
    assert ColorSteps(jitter_prob=0, grey_prob=0, blur_prob=0).draw() == ViewSteps()


def test_draws_stay_within_their_strengths():
    steps = ColorSteps(jitter=[0.4, 1.5, 0, 0.1], jitter_prob=1, blur_prob=1, blur_sigma=[0.5, 0.7])
    with seeded((3,)):
        drawn = [steps.draw() for _ in range(300)]
    amounts = np.array([made.amounts for made in drawn])
    assert (amounts.min(0) >= [0.6, 0, 1, -0.1]).all()
    assert (amounts.max(0) <= [1.4, 2.5, 1, 0.1]).all()
    assert np.ptp(amounts[:, HUE]) > 0.15
    assert {made.amounts[2] for made in drawn} == {NEUTRAL[2]}
    assert {tuple(sorted(made.order)) for made in drawn} == {ORDER}
    assert all(0.5 <= made.sigma <= 0.7 for made in drawn)
    assert 0.1 < np.mean([made.grey for made in drawn]) < 0.3


def test_a_row_holds_all_steps():
    assert ViewSteps((3, 1, 0, 2), (1.5, 1.0, 0.5, 0.25), True, 2.0).row() == [
        3,
        1,
        0,
        2,
        1.5,
        1.0,
        0.5,
        0.25,
        1.0,
        2.0,
    ]


@pytest.mark.parametrize('change', [{'grey_prob': -0.1}, {'jitter': (1, 1, 1)}, {'jitter': (-1, 1, 1, 0)}])
def test_values_out_of_range(change):
    with pytest.raises(InputError, match=f'{next(iter(change))} of ContrastiveViews'):
        ColorSteps(**change)


def test_views_refuse_an_unknown_step():
    with pytest.raises(TypeError, match='jiter'):
        ContrastiveViews(size=16, jiter=(0, 0, 0, 0))
