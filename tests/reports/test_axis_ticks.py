import pytest
from hypothesis import given
from hypothesis import strategies as st

from projects.false.reports.charts import axis_ticks, tick_texts


@pytest.mark.parametrize(
    ('low', 'high', 'texts'),
    [
        (0, 100, ['0', '20', '40', '60', '80', '100']),
        (3.4, 5.2, ['3.5', '4.0', '4.5', '5.0']),
        (-0.1, 0.3, ['−0.1', '0.0', '0.1', '0.2', '0.3']),
        (0.001, 0.004, ['0.001', '0.002', '0.003', '0.004']),
        (5, 12000, ['5000', '10000']),
    ],
)
def test_round_numbers(low, high, texts):
    assert tick_texts(axis_ticks(low, high)) == texts


@given(st.floats(-1e4, 1e4), st.floats(1e-3, 1e4))
def test_few_different_ticks_within(low, width):
    ticks = axis_ticks(low, low + width)
    assert 1 <= len(ticks) <= 6
    assert all(low - 1e-6 * width <= tick <= low + width * (1 + 1e-6) for tick in ticks)
    assert len(set(tick_texts(ticks))) == len(ticks)
