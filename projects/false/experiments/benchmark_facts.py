"""What a reader of a benchmark needs to know and to repeat it."""

import sys
from collections.abc import Sequence

from .benchmark.runner import Benchmark
from .benchmark_spec import Recipe
from .step import step_facts
from .surroundings import hardware


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
