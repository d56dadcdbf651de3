"""Run a benchmark from its spec to tables in three formats and an HTML report."""

import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from projects.false.common.errors import InputError
from projects.false.common.files import atomic_write, writable, write_text

from ..steps import hardware, is_done, read_record
from .labels_section import labels_advice, labels_picture, protocols_with_more
from .page import BenchmarkPage, RunFiles, write_benchmark_page
from .plan import RunKey
from .runner import Benchmark
from .spec import Method, Recipe, Spec, choose_protocols, read_spec
from .summary import MethodComparison, compare_methods, csv_table, json_table, markdown_table


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
) -> list[MethodComparison]:
    """Run or resume a benchmark, and write tables and report, as ``tools/run_benchmark.py`` does.

    Args:
        spec: Config of the benchmark.
        work_dir: Work folder; by default ``work_dirs/benchmarks/NAME``.
        part: Part of the data to test on, ``val`` or ``test``; None takes that of the spec.
        methods: Methods or tiers of the spec; none means all.
        protocols: Protocols of the spec; none means all.
        jobs: Number of parallel trainings; None takes one per GPU, or one per core.
        dry_run: Check everything, print what would run, and stop.
        report_only: Run nothing; write tables and report of the finished runs.
        audit: Folder of a false-negative audit, for the report.
        cfg_options: Changes to the spec, by dotted key.

    Returns:
        The comparisons of the methods; none after ``dry_run``.

    Raises:
        InputError: Spec, data or folder are not usable, another runner uses the folder, a step failed, or nothing is
            finished.
    """
    chosen = choose_protocols(read_spec(spec, cfg_options), protocols)
    folder = work_dir or Path('work_dirs', 'benchmarks', chosen.name)
    console = Console(highlight=False, soft_wrap=True, markup=False)
    with Benchmark(chosen, folder, part, methods, jobs) as benchmark:
        console.print(_workload(benchmark))
        if dry_run:
            return []
        if not report_only:
            benchmark.run()
        results = benchmark.results()
        if not results:
            raise InputError(f'{folder}: no run on the {benchmark.part} part is finished; call without --report-only')
        unpaired = with_other_patches(chosen, benchmark.methods)
        found = compare_methods(results, benchmark.methods, chosen.baseline, chosen.seeds, chosen.draws, unpaired)
        text = write_outputs(benchmark, found, results, audit)
    console.print(text)
    console.print(f'report: {(folder / benchmark.part / "report.html").resolve()}')
    return found


def with_other_patches(spec: Spec, methods: Sequence[str]) -> set[str]:
    """Return the methods whose labelled patches differ from the baseline's, as one of the two chooses its patches."""
    chosen = spec.methods[spec.baseline].select
    return {name for name in methods if name != spec.baseline and (chosen or spec.methods[name].select)}


def _workload(benchmark: Benchmark) -> str:
    plan, data = benchmark.plan, benchmark.data
    finished = len(benchmark.results())
    pretrainings = len({run.pretraining for run in plan.runs if run.pretraining})
    return (
        f'{benchmark.spec.name}: {len(benchmark.methods)} methods, {pretrainings} pretrainings on {data.unlabelled} '
        f'patches, {len(plan.runs)} fine-tunings, each tested on {data.tested} patches ({benchmark.part}); '
        f'{finished} finished, {len(benchmark.slots)} at a time'
    )


def write_outputs(
    benchmark: Benchmark, found: Sequence[MethodComparison], results: Sequence[dict], audit: Path | None = None
) -> str:
    """Write tables and report into ``WORK_DIR/PART``.

    Returns:
        The table in Markdown.

    Raises:
        InputError: A file cannot be written, or predictions or logs are missing.
    """
    target, baseline = benchmark.folder / benchmark.part, benchmark.spec.baseline
    text = markdown_table(found, baseline)
    over_labels = bool(protocols_with_more(found))
    advice = labels_advice(found, baseline) if over_labels else []
    text += ''.join(f'\n- {line}' for line in advice) + ('\n' if advice else '')
    files = {'table.md': text, 'table.csv': csv_table(found), 'table.json': json_table(found, baseline)}
    for name, content in files.items():
        with writable(target / name, 'free space'):
            write_text(target / name, content)
    if over_labels:
        with writable(target / 'labels.png', 'free space'), atomic_write(target / 'labels.png') as file:
            file.write(labels_picture(found, baseline))
    else:
        (target / 'labels.png').unlink(missing_ok=True)  # from an earlier call with several numbers of labels
    write_benchmark_page(
        target / 'report.html',
        BenchmarkPage(
            title=benchmark.spec.title,
            lead=benchmark_lead(benchmark),
            baseline=baseline,
            comparisons=found,
            files=choose_shown_runs(benchmark, results),
            data_root=benchmark.data.root,
            part=benchmark.part,
            palette=benchmark.data.palette,
            facts=benchmark_facts(benchmark, results),
            audit=audit,
        ),
    )
    return text


def benchmark_lead(benchmark: Benchmark) -> str:
    """Describe in plain sentences what was done."""
    spec, data = benchmark.spec, benchmark.data
    chosen = [name for name in benchmark.methods if spec.methods[name].select]
    same = f'the same for every method but {", ".join(chosen)}' if chosen else 'the same few for every method'
    return (
        f'{_count(len(benchmark.methods), "method")} ({", ".join(benchmark.methods)}), '
        f'{_count(len(spec.seeds), "seed")} of pretraining and {_count(len(spec.draws), "draw")} of labelled patches '
        f'each. Every pretraining saw {data.unlabelled} patches without labels; from each, the network was fine-tuned '
        f'on few labelled patches, {same}, and tested on the {data.tested} patches of '
        f'splits/{benchmark.part}.txt.'
    )


def benchmark_facts(benchmark: Benchmark, results: Sequence[dict]) -> dict[str, str]:
    """Return the rows of the last table of the report."""
    spec, plan = benchmark.spec, benchmark.plan
    starts = [f'{name}: {_start(spec.methods[name])}' for name in benchmark.methods]
    epochs = {config.train_cfg.max_epochs for name, config in plan.recipes.items() if name.startswith('pretrain_')}
    iterations = {config.train_cfg.max_iters for name, config in plan.recipes.items() if name.startswith('finetune_')}
    return {
        'command': ' '.join(sys.argv if sys.argv[0].startswith('false-rs') else ['python', *sys.argv]),
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
    """Add up the time of all steps behind the results, each counted once."""
    names = {name for run in benchmark.plan.runs for name in run.step_names}
    records = [read_record(benchmark.folder, name) for name in names if is_done(benchmark.folder, name)]
    minutes = sum(record['seconds'] for record in records) / 60
    text = f'{minutes:.1f} minutes, added up over {_count(len(records), "step")}'
    if all(record['cpu_seconds'] is not None for record in records):
        text += f'; {sum(record["cpu_seconds"] for record in records) / 60:.1f} minutes of CPU time'
    return text


def _start(method: Method) -> str:
    """Describe a method in a line."""
    parts = [_recipe(method.recipe)] if method.recipe else [f'pretrained as {method.like}'] if method.like else []
    parts = parts or [method.weights or 'random weights']
    if method.fine_tuning:
        parts.append(f'fine-tuned with {" ".join(f"{key}={value}" for key, value in method.fine_tuning.items())}')
    if method.select:
        parts.append(f'labelled patches chosen by {method.select}')
    return ', '.join(parts)


def _recipe(recipe: Recipe) -> str:
    parts = recipe.config.rsplit('/configs/', 1)
    options = ' '.join(f'{key}={value}' for key, value in recipe.options.items())
    return f'{"configs/" + parts[1] if len(parts) == 2 else recipe.config} {options}'.strip()


def _count(number: int, noun: str) -> str:
    return f'{number} {noun}{"" if number == 1 else "s"}'


def choose_shown_runs(benchmark: Benchmark, results: Sequence[dict]) -> dict[tuple[str, float, str], RunFiles]:
    """Choose one run of every method for the pictures and curves of the report.

    All methods are shown with the same seed and draw: the combination for which most methods have predictions.

    Returns:
        Files of a run, by protocol, fraction and method.
    """
    finished = {RunKey(**result['run']) for result in results}
    by_comparison: dict[tuple[str, float], dict[tuple[int, int], dict[str, RunFiles]]] = {}
    for run in benchmark.plan.runs:
        predictions = benchmark.folder / run.testing / 'predictions'
        if run.key in finished and predictions.is_dir():
            pairs = by_comparison.setdefault((run.key.protocol, run.key.fraction), {})
            pairs.setdefault((run.key.seed, run.key.draw), {})[run.key.method] = RunFiles(
                predictions=predictions,
                training_log=benchmark.folder / run.fine_tuning,
                pretraining_log=benchmark.folder / run.pretraining if run.pretraining else None,
            )
    return {
        (protocol, fraction, method): files
        for (protocol, fraction), pairs in by_comparison.items()
        for method, files in max(pairs.values(), key=len).items()
    }
