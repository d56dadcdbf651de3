"""The model card of a published model, as Markdown with the header that Hugging Face reads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_FILL = '**to fill in**'


@dataclass(frozen=True)
class Facts:
    """What the card says.

    Attributes:
        name: Name of the model.
        recipe: Name of its recipe.
        version: Version of this project; None leaves it out.
        backbone: Name of the backbone, such as ``ResNet-18``.
        method: How a backbone was pretrained; None for a fine-tuned model.
        length: How long it was trained, such as ``200 iterations``; None if that is unknown.
        pixels: Content of ``preprocessing.json``.
        data: Name of the folder of its training data.
        list_file: List of the patches that it was trained on; None for all.
        scores: Content of ``scores.json``; None without a test.
        comparison: Rows of a benchmark's table, each with the name of the baseline.
        licence: Identifier of the licence of the weights; None leaves a field to fill.
    """

    name: str
    recipe: str
    version: str | None
    backbone: str
    method: str | None
    length: str | None
    pixels: Mapping[str, Any]
    data: str
    list_file: str | None = None
    scores: Mapping[str, Any] | None = None
    comparison: Sequence[Mapping[str, Any]] = ()
    licence: str | None = None


def model_card(facts: Facts) -> str:
    """Write the card. What this project cannot know, such as licences and uses, is a field marked "to fill in"."""
    parts = [
        _header(facts),
        f'# {facts.name}\n',
        _about(facts),
        _use(facts),
        '## Pixels\n',
        _pixels(facts.pixels),
        _classes(facts.pixels),
        '## Data\n',
        _data(facts),
        '## Metrics\n',
        _metrics(facts),
        '## Licence\n',
        _licence(facts),
        '## Intended use and limits\n',
        f'- Made for: {_FILL} (area, season, sensor, ground sample distance)\n- Not to be used for: {_FILL}\n',
    ]
    return '\n'.join(part for part in parts if part)


def _header(facts: Facts) -> str:
    licence = f'license: {facts.licence}' if facts.licence else '# license: to fill in, such as cc-by-4.0'
    task = 'image-segmentation' if facts.method is None else 'image-feature-extraction'
    lines = [licence, f'pipeline_tag: {task}', 'tags:', '- remote-sensing', '- land-cover', '- openmmlab']
    return '\n'.join(['---', *lines, '---', ''])


def _about(facts: Facts) -> str:
    length = f', {facts.length}' if facts.length else ''
    if facts.method is None:
        kind = f'Land-cover segmentation of aerial and satellite imagery: {facts.backbone}, fine-tuned with the recipe'
    else:
        kind = f'{facts.backbone} pretrained without labels by {facts.method}, with the recipe'
    version = f', false-rs {facts.version}' if facts.version else ''
    return f'{kind} `{facts.recipe}`{length}{version}. `config.py` has every setting.\n'


def _use(facts: Facts) -> str:
    start = "model = dict(backbone=dict(init_cfg=dict(type='PretrainedBackbone', checkpoint='PATH_OF_THIS_FOLDER')))\n"
    lines = [
        '## Use\n',
        'The folder, or `hf://OWNER/NAME` after `hf download OWNER/NAME`, takes the place of config and checkpoint.',
        'Nothing in it is run as code.\n',
    ]
    if facts.method is None:
        commands = (
            'false-rs map PATH_OF_THIS_FOLDER scene.tif --out maps --preview\n'
            'false-rs test PATH_OF_THIS_FOLDER --cfg-options test_dataloader.dataset.data_root=data/mine\n'
        )
        lines.append(f'```bash\n{commands}```\n')
    lines.append(f'As the start of a fine-tuning, in a recipe:\n\n```python\n{start}```\n')
    return '\n'.join(lines)


def _pixels(pixels: Mapping[str, Any]) -> str:
    rows = [
        ('bands', f'{pixels["bands"]}, {pixels["order"]}'),
        ('values', pixels['values']),
        ('mean', ', '.join(f'{value:g}' for value in pixels['mean']) or '–'),
        ('standard deviation', ', '.join(f'{value:g}' for value in pixels['std']) or '–'),
        ('window', f'{pixels["window"]} x {pixels["window"]} pixels'),
        ('ground sample distance', _FILL),
    ]
    recorded = pixels.get('recorded')
    if recorded:
        rows.insert(2, ('bands of the source files', ', '.join(map(str, recorded['bands']))))
        if recorded['ranges']:
            ranges = ', '.join(f'{low:g} to {high:g}' for low, high in recorded['ranges'])
            rows.insert(3, ('source values that become 0 and 255', ranges))
    return _table(('pixels', ''), rows)


def _classes(pixels: Mapping[str, Any]) -> str:
    if 'classes' not in pixels:
        return ''
    rows = [
        (str(index), _cell(name), '#{:02X}{:02X}{:02X}'.format(*color))
        for index, (name, color) in enumerate(zip(pixels['classes'], pixels['colors'], strict=True))
    ]
    return '## Classes\n\n' + _table(('index', 'class', 'colour'), rows)


def _data(facts: Facts) -> str:
    labelled = f' (list `{facts.list_file}`)' if facts.list_file else ''
    return (
        f'- Trained on: `{facts.data}`{labelled}\n- Source, place, year, sensor: {_FILL}\n'
        f'- Licence of the data, and the credit that it asks for: {_FILL}\n'
    )


def _metrics(facts: Facts) -> str:
    tables = [*_test_tables(facts.scores or {}), *_benchmark_table(facts.comparison)]
    return '\n'.join(tables) or f'No test was given; {_FILL}.\n'


def _test_tables(scores: Mapping[str, Any]) -> list[str]:
    if not scores:
        return []
    means = [(_cell(name), _number(value)) for name, value in scores['scores'].items()]
    columns = ('IoU', 'F1', 'precision', 'recall')
    classes = [
        (_cell(name), *(_number(values.get(column)) for column in columns))
        for name, values in (scores.get('per_class') or {}).items()
    ]
    return [
        'One test of these weights, in percent. One test has no interval.\n',
        _table(('score', 'value'), means),
        *([_table(('class', *columns), classes)] if classes else []),
    ]


def _benchmark_table(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    if not rows:
        return []
    cells = [
        (
            f'{_cell(row["protocol"])}, {row["fraction"]:.3g} of the labels',
            str(row['runs']),
            _number(row['mIoU']),
            _difference(row),
        )
        for row in rows
    ]
    return [
        'Means over the runs of a benchmark with this recipe, in percent, and the difference to its baseline with the '
        '95 % interval.\n',
        _table(('protocol', 'runs', 'mIoU', f'− {rows[0]["baseline"]}'), cells),
    ]


def _difference(row: Mapping[str, Any]) -> str:
    if row.get('difference') is None:
        return '–'
    interval = '' if row.get('low') is None else f' [{row["low"]:+.2f}, {row["high"]:+.2f}]'
    return f'{row["difference"]:+.2f}{interval}'


def _licence(facts: Facts) -> str:
    licence = f'`{facts.licence}`' if facts.licence else _FILL
    return f'- Weights: {licence}\n- Who to credit, and how: {_FILL}\n- Contact: {_FILL}\n'


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ['---'] * len(head), *rows]
    return ''.join(f'| {" | ".join(line)} |\n' for line in lines)


def _cell(text: object) -> str:
    return ' '.join(str(text).split()).replace('|', '\\|')


def _number(value: object) -> str:
    return f'{value:.2f}' if isinstance(value, int | float) else '–'
