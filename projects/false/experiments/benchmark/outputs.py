"""Run a benchmark and write its results: tables in three formats, facts and the report."""

import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from projects.false.common.errors import InputError
from projects.false.common.files import write_text

from ..steps import hardware, step_facts
from .page import BenchmarkPage, Shown, write_benchmark_report
from .runner import Benchmark, run_key
from .spec import Recipe, choose_protocols, read_spec
from .summary import Comparison, compare, csv_table, json_table, markdown_table


def benchmark_lead(benchmark: Benchmark) -> str:
    """What was done, in plain sentences."""
    spec, data = benchmark.spec, benchmark.data
    return (
        f'{_count(len(benchmark.methods), "method")} ({", ".join(benchmark.methods)}), '
        f'{_count(len(spec.seeds), "seed")} of pretraining and {_count(len(spec.draws), "draw")} of labelled patches '
        f'each. Every pretraining saw {data.unlabelled} patches without labels; from each, the network was fine-tuned '
        f'on few labelled patches, the same few for every method, and tested on the {data.tested} patches of '
        f'splits/{benchmark.part}.txt.'
    )


def benchmark_facts(benchmark: Benchmark, results: Sequence[dict]) -> dict[str, str]:
    """Rows of the last table of the report."""
    spec, plan = benchmark.spec, benchmark.plan
    starts = []
    for name in benchmark.methods:
        start = spec.methods[name]
        starts.append(f'{name}: {_recipe(start) if isinstance(start, Recipe) else start or "random weights"}')
    epochs = {config.train_cfg.max_epochs for name, config in plan.recipes.items() if name.startswith('pretrain_')}
    iterations = {config.train_cfg.max_iters for name, config in plan.recipes.items() if name.startswith('finetune_')}
    return {
        'command': 'python ' + ' '.join(sys.argv),
        'methods': '\n'.join(starts),
        'protocols': '\n'.join(f'{name}: {_recipe(recipe)}' for name, recipe in spec.protocols.items()),
        'baseline': spec.baseline,
        'pretraining seeds': ', '.join(map(str, spec.seeds)),
        'label draws': ', '.join(map(str, spec.draws)),
        'epochs of pretraining': ', '.join(map(str, sorted(epochs))) or 'none',
        'iterations of fine-tuning': ', '.join(map(str, sorted(iterations))),
        'data': str(benchmark.data.root),
        'time': _time(benchmark, results),
        'this machine': f'{hardware()}, {len(benchmark.slots)} runs at a time',
        'software': ', '.join(sorted({result['software'] for result in results})),
        'last run': max(result['finished'] for result in results),
    }


def _time(benchmark: Benchmark, results: Sequence[dict]) -> str:
    """All steps behind the results, each once, wherever they ran."""
    names = {name for run in benchmark.plan.runs for name in run.names if name}
    facts = [found for name in names if (found := step_facts(benchmark.folder, name))]
    text = f'{sum(found["seconds"] for found in facts) / 60:.1f} minutes, added up over {_count(len(facts), "step")}'
    if all(found['cpu_seconds'] is not None for found in facts):
        text += f'; {sum(found["cpu_seconds"] for found in facts) / 60:.1f} minutes of CPU time'
    return text


def _recipe(recipe: Recipe) -> str:
    place = recipe.config.rsplit('/configs/', 1)
    options = ' '.join(f'{key}={value}' for key, value in recipe.options.items())
    return f'{"configs/" + place[1] if len(place) == 2 else recipe.config} {options}'.strip()


def _count(number: int, noun: str) -> str:
    return f'{number} {noun}{"" if number == 1 else "s"}'


def run_benchmark(
    spec: str,
    work_dir: Path | None = None,
    part: str | None = None,
    methods: Sequence[str] = (),
    protocols: Sequence[str] = (),
    jobs: int | None = None,
    dry_run: bool = False,
    report_only: bool = False,
    audit: Path | None = None,
    cfg_options: dict | None = None,
) -> list[Comparison]:
    """Do what ``tools/run_benchmark.py`` does; the arguments are its options.

    Raises:
        InputError: Spec, data or folder do not do, another runner is at work, a step failed, or nothing is finished.
    """
    chosen = choose_protocols(read_spec(spec, cfg_options), protocols)
    folder = work_dir or Path('work_dirs', 'benchmarks', chosen.name)
    console = Console(highlight=False, soft_wrap=True, markup=False)
    with Benchmark(chosen, folder, part, methods, jobs) as benchmark:
        console.print(_amount(benchmark))
        if dry_run:
            return []
        if not report_only:
            benchmark.run()
        results = benchmark.results()
        if not results:
            raise InputError(f'{folder}: no run on the {benchmark.part} part is finished; call without --report-only')
        found = compare(results, benchmark.methods, chosen.baseline, chosen.seeds, chosen.draws)
        text = write_outputs(benchmark, found, results, audit)
    console.print(text)
    console.print(f'report: {(folder / benchmark.part / "report.html").resolve()}')
    return found


def write_outputs(
    benchmark: Benchmark, found: Sequence[Comparison], results: Sequence[dict], audit: Path | None = None
) -> str:
    """Write tables and report into the folder of the part.

    Returns:
        The table in Markdown.

    Raises:
        InputError: A file cannot be written, or what the pictures are made of is missing.
    """
    place, baseline = benchmark.folder / benchmark.part, benchmark.spec.baseline
    text = markdown_table(found, baseline)
    files = {'table.md': text, 'table.csv': csv_table(found), 'table.json': json_table(found, baseline)}
    for name, content in files.items():
        try:
            write_text(place / name, content)
        except OSError as error:
            raise InputError(f'{place / name}: cannot be written ({error.strerror}); free space') from error
    write_benchmark_report(
        place / 'report.html',
        BenchmarkPage(
            title=benchmark.spec.title,
            lead=benchmark_lead(benchmark),
            baseline=baseline,
            comparisons=found,
            shown=shown_runs(benchmark, results),
            data_root=benchmark.data.root,
            part=benchmark.part,
            palette=benchmark.data.palette,
            facts=benchmark_facts(benchmark, results),
            audit=audit,
        ),
    )
    return text


def shown_runs(benchmark: Benchmark, results: Sequence[dict]) -> dict[tuple[str, float, str], Shown]:
    """One run of every method, of the seed and draw whose predictions were kept when most methods were tested."""
    finished = {run_key(result) for result in results}
    kept: dict[tuple[str, float], dict[tuple[int, int], dict[str, Shown]]] = {}
    for run in benchmark.plan.runs:
        pretraining, tuning, test = (name and benchmark.folder / name for name in run.names)
        if run.key in finished and (test / 'predictions').is_dir():
            of_pair = kept.setdefault(run.key[:2], {}).setdefault((run.key.seed, run.key.draw), {})
            of_pair[run.key.method] = Shown(test / 'predictions', tuning, pretraining)
    return {
        (*comparison, method): shown
        for comparison, pairs in kept.items()
        for method, shown in max(pairs.values(), key=len).items()
    }


def _amount(benchmark: Benchmark) -> str:
    plan, data = benchmark.plan, benchmark.data
    finished = len(benchmark.results())
    pretrainings = len({run.names[0] for run in plan.runs if run.names[0]})
    return (
        f'{benchmark.spec.name}: {len(benchmark.methods)} methods, {pretrainings} pretrainings on {data.unlabelled} '
        f'patches, {len(plan.runs)} fine-tunings, each tested on {data.tested} patches ({benchmark.part}); '
        f'{finished} finished, {len(benchmark.slots)} at a time'
    )
