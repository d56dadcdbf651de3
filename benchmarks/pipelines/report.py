"""Tables of the measurements, and the goals that they meet."""

import statistics
from collections.abc import Mapping, Sequence

from rich.table import Table

from .sides import APPEARANCE, DEVICE, FLOOR, LOADER, STOCK
from .training import BASELINE, NETWORK, OURS, THEIRS

CELL = tuple[str, str]  # side and storage


def spread(values: Sequence[float]) -> str:
    """Format median and range."""
    digits = 0 if statistics.median(values) >= 100 else 1
    low, middle, high = (f'{value:,.{digits}f}' for value in (min(values), statistics.median(values), max(values)))
    return f'{middle} ({low} to {high})'


def ratio(values: Sequence[float], other: Sequence[float]) -> float:
    """Return the relative speed, median over the rounds; the sides of a round were measured close together."""
    return statistics.median(a / b for a, b in zip(values, other, strict=True))


def loading_table(title: str, rates: Mapping[CELL, list[float]], baseline: CELL) -> Table:
    """Tabulate views per second of every side and storage."""
    table = Table('side', 'stored as', 'views/s', f'of {" from ".join(baseline)}', title=title)
    for (side, storage), values in rates.items():
        table.add_row(side, storage, spread(values), f'{ratio(values, rates[baseline]):.1f}x')
    return table


def training_table(rates: Mapping[tuple[str, str], list[tuple[float, float]]]) -> Table:
    """Tabulate images per second of both sides: pipeline, model, both."""
    table = Table('side', 'what', 'images/s', 'of theirs', 'images a CPU second', 'of theirs', title='training')
    for (side, what), pairs in rates.items():
        row = [side, what]
        for mine, base in zip(zip(*pairs, strict=True), zip(*rates[THEIRS, what], strict=True), strict=True):
            row += [spread(mine), f'{ratio(mine, base):.2f}x']
        table.add_row(*row)
    return table


def goal(name: str, found: float, wanted: float) -> str:
    """Format a goal: met or missed, and the number."""
    share = '' if found >= wanted else f', {100 * (1 - found / wanted):.0f} % short'
    return f'{"met   " if found >= wanted else "MISSED"} {name}: {found:.2f}, goal at least {wanted:g}{share}'


def floor_share(name: str, rates: Sequence[float], floor: Sequence[float]) -> str:
    """Say which share of the time of a side is that of its floor."""
    return f'floor  {name}: {100 * ratio(rates, floor):.0f} % of the time is the least that it takes'


def loading_goals(cpu: Mapping[CELL, list[float]]) -> list[str]:
    """Compare packed patches with stock from each of its storages, and from packed patches as well."""
    if not {(STOCK, 'JPEG'), (LOADER, 'packed'), (DEVICE, 'packed')} <= cpu.keys():
        return []
    lines = []
    for side, wanted in ((LOADER, 8), (DEVICE, 25)):
        for storage in ('JPEG', 'PNG', 'packed'):
            if (STOCK, storage) in cpu:
                found = ratio(cpu[side, 'packed'], cpu[STOCK, storage])
                lines.append(goal(f'{side} from packed, views a core, against stock from {storage}', found, wanted))
    if (FLOOR, 'packed') in cpu:
        lines.append(floor_share(DEVICE, cpu[DEVICE, 'packed'], cpu[FLOOR, 'packed']))
    if (APPEARANCE, 'PNG') in cpu:
        found = ratio(cpu[APPEARANCE, 'PNG'], cpu[LOADER, 'PNG'])
        lines.append(goal('views a core from PNG, with appearance against without', found, 0.9))
    return lines


def training_goals(rates: Mapping[tuple[str, str], list[tuple[float, float]]], device: str) -> list[str]:
    """Compare with mmpretrain, and on a GPU with our own speed on one and the same batch."""
    columns = {key: list(zip(*pairs, strict=True)) for key, pairs in rates.items()}
    lines = []
    for place, unit in enumerate(('images/s', 'images a CPU second')):
        found = ratio(columns[OURS, 'both'][place], columns[THEIRS, 'both'][place])
        lines.append(goal(f'training, {unit}, {OURS} against {THEIRS} ({device})', found, 2))
    for what in ('model', 'both'):
        lines.append(floor_share(f'{OURS}, {what}, CPU time', columns[OURS, what][1], columns[NETWORK, 'model'][1]))
    found = ratio(columns[OURS, 'model'][1], columns[BASELINE, 'model'][1])
    lines.append(goal(f'a step, images a CPU second, {OURS} against {BASELINE} ({device})', found, 0.95))
    if device == 'cuda':
        found = ratio(columns[OURS, 'both'][0], columns[OURS, 'model'][0])
        lines.append(goal('training, share of the speed with fake data', found, 0.9))
    return lines
