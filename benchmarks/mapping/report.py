"""Tables of the measurements, and the goals that they meet."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from rich.table import Table

from .sides import OURS, REMOTE, SLIDE

MEBI = 1 << 20
GOAL_SIZE, GOAL_OVERLAP = 4096, 0.5


class Setting(NamedTuple):
    """Size of the image in pixels, and overlap."""

    size: int
    overlap: float


Found = Mapping[tuple[Setting, str], dict]  # results of benchmarks.mapping.measuring
Same = Mapping[tuple[Setting, str], float]  # share of pixels with the class of slide mode


def speed_table(found: Found, same: Same) -> Table:
    """Tabulate megapixels per second, windows, memory and agreement with slide mode."""
    table = Table(
        'image',
        'overlap',
        'side',
        'windows',
        'MP per CPU s',
        'MP per second',
        f'of {SLIDE}, CPU',
        'time in the model',
        'peak, MiB',
        f'classes as {SLIDE}',
    )
    for (setting, side), cell in found.items():
        megapixels = setting.size**2 / 1e6
        ratio = speed_ratio(found, setting, side)
        agreement = same.get((setting, side))
        table.add_row(
            f'{setting.size}²',
            f'{setting.overlap:.0%}',
            side,
            str(cell['windows']),
            f'{megapixels / cell["cpu"]:.3f}',
            f'{megapixels / cell["wall"]:.3f}',
            '' if ratio is None else f'{ratio:.1f}x',
            f'{model_share(cell):.0%}',
            f'{cell["peak"] / MEBI:,.0f}',
            '' if agreement is None else f'{agreement:.3%}',
        )
    return table


def speed_ratio(
    found: Mapping[tuple[Setting, str], dict], setting: Setting, side: str, other: str = SLIDE
) -> float | None:
    """Return the speed relative to another side, by CPU time."""
    base = found.get((setting, other))
    return base and base['cpu'] / found[setting, side]['cpu']


def model_share(cell: dict) -> float:
    """Return the share of the wall-clock time in which the model worked."""
    return cell['model wall'] / cell['wall']


def needed_windows(size: int, window: int, overlap: float) -> int:
    """Count the fewest windows that cover a square image at this stride."""
    stride = round(window * (1 - overlap))
    return (1 + -(-max(0, size - window) // stride)) ** 2


def goals(found: Found, same: Same, window: int) -> list[str]:
    """Return one line per goal of a measured setting: met or missed, and the number."""
    lines = []
    ours = {setting: cell for (setting, side), cell in found.items() if side == OURS}
    if ours:
        more = max(cell['windows'] - needed_windows(s.size, window, s.overlap) for s, cell in ours.items())
        lines.append(_line('windows more than needed', more == 0, str(more), 'goal none'))
        share = min(model_share(cell) for cell in ours.values())
        lines.append(_line('time in the model, the least of all settings', share >= 0.8, f'{share:.1%}', 'goal 80 %'))
    setting = Setting(GOAL_SIZE, GOAL_OVERLAP)
    if (setting, OURS) in found:
        name = f'{GOAL_SIZE} pixels square, {GOAL_OVERLAP:.0%} overlap'
        ratio = speed_ratio(found, setting, OURS)
        if ratio:
            lines.append(_line(f'{name}: speed of {SLIDE}, by CPU time', ratio >= 3, f'{ratio:.1f}x', 'goal 3x'))
        if (setting, OURS) in same:
            equal = same[setting, OURS]
            lines.append(_line(f'{name}: classes as {SLIDE}', equal >= 0.999, f'{equal:.3%}', 'goal 99.9 %'))
        if (setting, REMOTE) in found:
            ratio = speed_ratio(found, setting, OURS, REMOTE)
            lines.append(f'       {name}: {ratio:.1f}x the speed of {REMOTE}, by CPU time')
    return lines


def _line(name: str, met: bool, measured: str, wanted: str) -> str:
    return f'{"met   " if met else "MISSED"} {name}: {measured}, {wanted}'


def seam_table(shares: Mapping[tuple[str, float], float], size: int) -> Table:
    """Tabulate the pixels whose class differs from that of the whole image at once."""
    table = Table('blend', 'overlap', 'other class than at once', title=f'seams, {size} pixels square')
    for (blend, overlap), share in shares.items():
        table.add_row(blend, f'{overlap:.0%}', f'{share:.2%}')
    return table


def memory_table(peaks: Mapping[int, dict], window: int) -> Table:
    """Tabulate peak resident memory against the size of the image."""
    table = Table('image', 'all, MiB', 'beyond the start, MiB', 's', title=f'memory, windows of {window}, 50 % overlap')
    for size, cell in peaks.items():
        row = (cell['peak'] / MEBI, cell['extra'] / MEBI, cell['wall'])
        table.add_row(f'{size}²', *(f'{value:,.0f}' for value in row))
    return table


def memory_lines(peaks: Mapping[int, dict]) -> list[str]:
    """Return the growth of memory from the smallest to the largest image."""
    sizes: Sequence[int] = sorted(peaks)
    if len(sizes) < 2:
        return []
    first, last = peaks[sizes[0]]['peak'], peaks[sizes[-1]]['peak']
    pixels = (sizes[-1] / sizes[0]) ** 2
    text = f'{last / first:.2f} times the memory for {pixels:.0f} times the pixels'
    return [_line('peak memory', last <= 1.1 * first, text, 'goal flat, here at most 1.1 times')]
