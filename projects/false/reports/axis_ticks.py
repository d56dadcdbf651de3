"""Round numbers along an axis."""

import math


def axis_ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten within ``[low, high]``.

    Args:
        low: Lower end of the axis.
        high: Upper end, above ``low``.
        most: Largest number of ticks, at least 2.
    """
    raw = (high - low) / (most - 1)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [number * step for number in range(first, last + 1)]


def tick_texts(ticks: list[float]) -> list[str]:
    """Ticks with as many decimals as tell them apart."""
    step = ticks[1] - ticks[0] if len(ticks) > 1 else 1
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    return [f'{tick:.{decimals}f}'.replace('-', '\N{MINUS SIGN}') for tick in ticks]
