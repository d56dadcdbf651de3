"""Goals of the losses for speed and memory, checked against a report."""

from typing import NamedTuple

from .sides import LIBRARIES, LIGHTLY, RENDERING
from .timing import quartiles

OURS = ('anchor_nearest', 'released')


class Goal(NamedTuple):
    """A goal and its measured value; `met` is None where it was not measured."""

    text: str
    measured: str
    met: bool | None


def judge(report: dict) -> list[Goal]:
    """Judge all goals by a report of :mod:`benchmarks.loss`."""
    return [
        _over_rendering(report, 'nearest', 5),
        _over_rendering(report, 'sentinel', 1000),
        _fair(report),
        *_as_fast_as_libraries(report),
        *[_scaling(report, form) for form in ('default', 'chunked', 'dense')],
        _memory(report),
    ]


def medians(report: dict, regime: str, rows: int) -> dict[str, float]:
    """Return the median seconds by side."""
    return {
        entry['side']: quartiles(entry['seconds'])[1]
        for entry in report['times']
        if entry['regime'] == regime and entry['rows'] == rows and entry['seconds']
    }


def _over_rendering(report: dict, regime: str, least: float) -> Goal:
    times = medians(report, regime, 512)
    text = f'512 rows, {regime}: {" and ".join(OURS)} at least {least:,} times as fast as the rendering'
    if RENDERING not in times or not all(name in times for name in OURS):
        return Goal(text, 'not measured', None)
    factors = {name: times[RENDERING] / times[name] for name in OURS}
    return Goal(
        text, ', '.join(f'{name} {value:,.1f}' for name, value in factors.items()), min(factors.values()) >= least
    )


def _fair(report: dict) -> Goal:
    times = medians(report, 'nearest', 512)
    text = "512 rows, nearest: the rendering costs at most 10 times lightly's loss, so that it is a fair one"
    if RENDERING not in times or LIGHTLY not in times:
        return Goal(text, 'not measured', None)
    factor = times[RENDERING] / times[LIGHTLY]
    return Goal(text, f'{factor:.1f}', factor <= 10)


def _as_fast_as_libraries(report: dict) -> list[Goal]:
    goals = []
    names = list(dict.fromkeys(entry['side'] for entry in report['times'] if entry['kind'] == 'determination'))
    for rows in sorted({entry['rows'] for entry in report['times'] if entry['rows'] >= 512}):
        factors, absent = {}, set()
        for regime in sorted({entry['regime'] for entry in report['times']}):
            times = medians(report, regime, rows)
            libraries = [times[name] for name in LIBRARIES if name in times]
            absent |= {name for name in LIBRARIES if name not in times}
            for name in names if libraries else ():
                if name in times:
                    factors[f'{name}, {regime}'] = times[name] / min(libraries)
        text = f'{rows:,} rows: no determination slower than the fastest library'
        if not factors:
            goals.append(Goal(text, 'not measured', None))
            continue
        slower = {name: value for name, value in factors.items() if value > 1}
        words = '; '.join(f'{name} {value:.2f}' for name, value in sorted(slower.items(), key=lambda item: -item[1]))
        worst = max(factors, key=factors.get)
        measured = f'slower: {words}' if slower else f'slowest {worst}: {factors[worst]:.2f} of its time'
        if absent:
            measured += f' (without {", ".join(sorted(name.split()[0] for name in absent))})'
        goals.append(Goal(text, measured, not slower))
    return goals


def _scaling(report: dict, form: str) -> Goal:
    per_pair = {
        entry['rows']: quartiles(entry['seconds'])[1] / entry['rows'] ** 2
        for entry in report['scaling']
        if entry['form'] == form and entry['seconds']
    }
    text = f'anchor_nearest {form}: time / rows² within 1.3 times over the sizes'
    if len(per_pair) < 2:
        return Goal(text, 'not measured', None)
    factor = max(per_pair.values()) / min(per_pair.values())
    words = ', '.join(f'{rows:,}: {1e9 * value:.1f} ns' for rows, value in sorted(per_pair.items()))
    return Goal(text, f'{factor:.2f} ({words})', factor <= 1.3)


def _memory(report: dict) -> Goal:
    memory = report['memory']
    text = f'{memory.get("rows", 16384):,} rows: chunked takes at most 1/8 of the extra memory of dense'
    if not memory.get('dense') or not memory.get('chunked'):
        return Goal(text, 'not measured', None)
    dense, chunked = memory['dense'], memory['chunked']
    measured = f'{chunked / 2**20:,.0f} of {dense / 2**20:,.0f} MiB, 1/{dense / chunked:.1f}'
    return Goal(text, measured, chunked <= dense / 8)
