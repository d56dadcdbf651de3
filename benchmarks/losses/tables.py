"""A report of :mod:`benchmarks.loss` as Markdown."""

from .timing import quartiles

CLOCKS = {'wall': 'milliseconds', 'cpu': 'milliseconds of CPU time'}
FORMS = ('default', 'chunked', 'dense')


def markdown(report: dict) -> str:
    """Format all tables, with the machine above and the notes below."""
    machine, settings = report['machine'], report['settings']
    parts = [
        f'{machine["processor"]}, {settings["threads"]} of {machine["cores"]} cores, load {machine["load"]}; '
        f'{machine["versions"]}; {machine["date"]}.',
        f'Forward plus backward, {CLOCKS[settings["clock"]]}: median [quartiles]; '
        f'D = {settings["dimension"]}, {settings["dtype"]}, {settings["repeats"]} rounds in turns.',
    ]
    for regime in settings['regimes']:
        parts += [f'**{regime}**', _times([entry for entry in report['times'] if entry['regime'] == regime])]
    notes = list(dict.fromkeys(entry['note'] for entry in report['times'] if entry['note']))
    if notes:
        parts.append('\n'.join(f'- {note}' for note in notes))
    if report['scaling']:
        parts += ['**anchor_nearest: chosen block size, chunked, and dense (one block)**', _scaling(report)]
    if report['memory']:
        parts.append(_memory(report))
    rows = [[goal['text'], goal['measured'], _verdict(goal['met'])] for goal in report['goals']]
    parts += ['**Goals**', _table(['goal', 'measured', ''], rows)]
    return '\n\n'.join(parts) + '\n'


def milliseconds(seconds: list[float]) -> str:
    """Format median and quartiles, or a dash."""
    if not seconds:
        return '–'
    low, middle, high = (1000 * value for value in quartiles(seconds))
    digits = 0 if middle >= 100 else 1
    spread = f' [{low:,.{digits}f}–{high:,.{digits}f}]' if len(seconds) > 1 else ' (once)'
    return f'{middle:,.{digits}f}{spread}'


def _times(entries: list[dict]) -> str:
    sizes = sorted({entry['rows'] for entry in entries})
    sides = list(dict.fromkeys(entry['side'] for entry in entries))
    cells = {(entry['side'], entry['rows']): milliseconds(entry['seconds']) for entry in entries}
    pairs = {entry['rows']: f'{entry["pairs"]:,}' for entry in entries}
    rows = [['pairs that `released` determines', *[pairs[size] for size in sizes]]]
    rows += [[side, *[cells.get((side, size), '–') for size in sizes]] for side in sides]
    return _table(['rows', *[f'{size:,}' for size in sizes]], rows)


def _scaling(report: dict) -> str:
    cells = {}
    for entry in report['scaling']:
        per_pair = 1e9 * quartiles(entry['seconds'])[1] / entry['rows'] ** 2
        cells[entry['form'], entry['rows']] = f'{milliseconds(entry["seconds"])}; {per_pair:.1f} ns'
    sizes = sorted({entry['rows'] for entry in report['scaling']})
    rows = [[form, *[cells[form, size] for size in sizes]] for form in FORMS]
    return _table(['ms; time / rows²', *[f'{size:,}' for size in sizes]], rows)


def _memory(report: dict) -> str:
    memory = report['memory']
    sizes = {form: f'{memory[form] / 2**20:,.0f} MiB' if memory[form] else '–' for form in FORMS}
    return (
        f'Peak extra memory at {memory["rows"]:,} rows: dense {sizes["dense"]}, chunked {sizes["chunked"]} '
        f'(`chunk_size={report["settings"]["chunk_size"]}`), chosen block size {sizes["default"]}; {memory["how"]}.'
    )


def _verdict(met: bool | None) -> str:
    return {True: 'met', False: 'missed', None: 'not measured'}[met]


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ['---'] * len(head), *rows]
    return '\n'.join(f'| {" | ".join(line)} |' for line in lines)
