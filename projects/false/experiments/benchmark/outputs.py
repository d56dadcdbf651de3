"""Run a benchmark and write what came out: tables in three formats and the report."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from projects.false.atomic_write import write_text
from projects.false.errors import InputError
from projects.false.reports.benchmark_tables import csv_table, json_table, markdown_table

from ..benchmark_facts import benchmark_facts, benchmark_lead
from ..benchmark_spec import choose_protocols
from .page import BenchmarkPage, Shown, write_benchmark_report
from .runner import Benchmark, run_key
from .spec import read_spec
from .summary import Comparison, compare


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
