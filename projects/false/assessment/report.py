"""Draw the places to check, assess a map by them or by a raster, and report what was found."""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from projects.false.common.errors import InputError
from projects.false.common.files import atomic_write, writable
from projects.false.imagery.image_files import DRIVERS
from projects.false.mapping.class_map_file import NODATA
from projects.false.reports.page import write_page

from .chip_sheet import chip_sheet
from .class_map import ClassMap
from .estimates import (
    LEAST,
    Estimates,
    Measure,
    allocate,
    coarsely_sampled,
    estimate,
    half_width,
    interval,
)
from .places import FIELD, count_pixels, draw_places, matrix_of, read_places, write_places


def sample_places(
    path: str | Path,
    out: str | Path,
    number: int,
    allocation: str = 'olofsson',
    least: int = LEAST,
    seed: int = 0,
    image: str | Path | None = None,
    overwrite: bool = False,
) -> dict[str, int]:
    """Draw places to check, and write them as ``places.gpkg``, with ``image`` also as pictures in ``places.html``.

    Args:
        path: The map, ``NAME_classes.tif``.
        out: Folder for the files.
        number: Places to draw.
        allocation, least: How they are divided among the classes, see :func:`.estimates.allocate`.
        seed: Seed of the draw.
        image: The image that was mapped.
        overwrite: Replace a ``places.gpkg`` that is there, which may have been filled in, and its pictures.

    Returns:
        Number of places by class of the map.

    Raises:
        InputError: The map is unusable, places are there already, or a file cannot be written.
    """
    points, pictures = Path(out) / 'places.gpkg', Path(out) / 'places.html'
    if points.exists() and not overwrite:
        raise InputError(f'{points}: exists and may be filled in; give another --out, or --overwrite')
    with ClassMap(path) as opened:
        pixels = count_pixels(opened)
        sizes = allocate(pixels.sum(axis=(0, 2)), number, allocation, least)
        places = draw_places(opened, pixels, sizes, seed)
        sheet = chip_sheet(Path(image), opened, places) if image else None
        with writable(pictures, 'give another --out'):
            pictures.unlink(missing_ok=True)  # of other places
        write_places(points, opened, pixels, places)
        if sheet is not None:
            write_page(pictures, sheet)
        return dict(zip(opened.classes, sizes.tolist(), strict=True))


class Assessment(NamedTuple):
    """The result of assessing a map.

    Args:
        estimates: Areas and accuracies.
        classes: Names of the classes.
        hectares: Area of a pixel; None if that is unknown or differs from pixel to pixel.
        left_out: Places without a true class, or outside the map.
        complete: Every pixel with a known true class was compared, so nothing is estimated.
        unknown: Share of the mapped pixels for which a reference raster has no class.
    """

    estimates: Estimates
    classes: tuple[str, ...]
    hectares: float | None
    left_out: int = 0
    complete: bool = False
    unknown: float = 0.0


def assess_map(
    path: str | Path,
    reference: str | Path,
    number: int | None = None,
    allocation: str = 'olofsson',
    least: int = LEAST,
    seed: int = 0,
    field: str = FIELD,
) -> Assessment:
    """Assess a map.

    Args:
        path: The map, ``NAME_classes.tif``.
        reference: The places, filled in; or a raster with the numbers of the true classes, 255 where unknown.
        number: Only for a raster: places to draw from it. None compares all its pixels.
        allocation, least, seed: As for :func:`sample_places`.
        field: Column of the true class, only for places.

    Raises:
        InputError: A file is unusable, or too few places have a true class.
    """
    if Path(reference).suffix.lower() in DRIVERS:
        return _assess_by_raster(path, reference, number, allocation, least, seed)
    if number is not None:
        raise InputError(f'{reference}: has its places already; leave --sample out')
    with ClassMap(path) as opened:
        pixels = count_pixels(opened)
        places = read_places(Path(reference), opened, pixels, field)
        matrix = matrix_of(places, opened)
        if not matrix.any():
            raise InputError(f'{reference}: no place on the map has a {field}; fill that column in first')
        found = estimate(matrix, pixels.sum(axis=(0, 2)), opened.classes)
        return Assessment(found, opened.classes, opened.hectares, len(places.rows) - int(matrix.sum()))


def _assess_by_raster(
    path: str | Path, reference: str | Path, number: int | None, allocation: str, least: int, seed: int
) -> Assessment:
    with ClassMap(path, reference) as opened:
        pixels = count_pixels(opened)
        matrix = pixels.sum(axis=0)
        population = matrix.sum(axis=1)
        if not matrix.any():
            raise InputError(f'{reference}: has no labelled pixel on the map; check that both show the same place')
        if number is not None:
            sizes = allocate(population, number, allocation, least)
            matrix = matrix_of(draw_places(opened, pixels, sizes, seed), opened)
        found = estimate(matrix, population, opened.classes)
    with ClassMap(path) as alone:
        mapped = sum(int((alone.read(row, column).classes != NODATA).sum()) for row, column in alone.blocks())
    unknown = 1 - int(population.sum()) / mapped
    return Assessment(found, opened.classes, opened.hectares, complete=number is None, unknown=unknown)


def as_json(found: Assessment, level: float) -> str:
    """Return all numbers as JSON; shares in [0, 1], with the ends of their intervals, and areas in hectares if known.

    Errors and intervals of a complete comparison are null: nothing was estimated.

    Args:
        found: The assessment.
        level: Confidence level of the intervals.
    """
    numbers = found.estimates
    total = int(numbers.population.sum())
    unit = None if found.hectares is None else found.hectares * total

    def told(measure: Measure, index: int | None = None, scale: float = 1.0) -> dict[str, float | None]:
        value, error = (part if index is None else part[index] for part in measure)
        low, high = (end if index is None else end[index] for end in interval(measure, level))
        if found.complete:
            error = low = high = np.nan
        parts = {'value': value, 'standard_error': error, 'low': low, 'high': high}
        return {name: None if np.isnan(part) else float(part) * scale for name, part in parts.items()}

    by_class = {
        name: {
            'places': int(numbers.counts[index].sum()),
            'mapped_share': float(numbers.mapped[index]),
            'share': told(numbers.area, index),
            'mapped_hectares': None if unit is None else float(numbers.mapped[index]) * unit,
            'hectares': None if unit is None else told(numbers.area, index, unit),
            'users_accuracy': told(numbers.users, index),
            'producers_accuracy': told(numbers.producers, index),
            'iou': told(numbers.iou, index),
        }
        for index, name in enumerate(found.classes)
    }
    content = {
        'level': level,
        'complete': found.complete,
        'pixels': total,
        'share_without_reference': found.unknown,
        'places_left_out': found.left_out,
        'overall_accuracy': told(numbers.overall),
        'classes': by_class,
        'matrix': {'rows': 'class of the map', 'columns': 'true class', 'counts': numbers.counts.tolist()},
    }
    return json.dumps(content, indent=1, ensure_ascii=False) + '\n'


def table_of(found: Assessment, level: float) -> Table:
    """Return the areas and accuracies of the classes as a table; arguments as for :func:`as_json`."""
    numbers, unit = found.estimates, found.hectares
    scale = 100.0 if unit is None else unit * float(numbers.population.sum())
    table = Table(box=SIMPLE_HEAD, padding=(0, 1))
    table.add_column('class', no_wrap=True)
    area = '%' if unit is None else 'ha'

    def shown(measure: Measure, index: int, scale: float, digits: int) -> str:
        value, reach = float(measure.value[index]), float(half_width(measure, level)[index])
        if np.isnan(value):
            return '-'
        told = f'{value * scale:,.{digits}f}'
        return told if found.complete else f'{told} ± {reach * scale:,.{digits}f}'

    for heading in ('places', f'mapped, {area}', f'true, {area}', "user's, %", "producer's, %", 'IoU, %'):
        table.add_column(heading, justify='right')
    for index, name in enumerate(found.classes):
        table.add_row(
            escape(name),
            f'{int(numbers.counts[index].sum()):,}',
            f'{numbers.mapped[index] * scale:,.2f}',
            shown(numbers.area, index, scale, 2),
            *(shown(measure, index, 100, 1) for measure in (numbers.users, numbers.producers, numbers.iou)),
        )
    return table


def remarks(found: Assessment, level: float) -> list[str]:
    """Return remarks that the table needs, in sentences; arguments as for :func:`as_json`."""
    numbers = found.estimates
    overall = f'overall accuracy {100 * float(numbers.overall.value):.1f}'
    if found.complete:
        said = [
            f'{overall} %',
            'every labelled pixel was compared: the numbers are exact for that area and tell nothing beyond it',
        ]
    else:
        reach = float(half_width(numbers.overall, level))
        said = [f'{overall} ± {100 * reach:.1f} % (intervals of {level:.0%})']
    if found.unknown > 0:
        said.append(f'{found.unknown:.1%} of the mapped pixels have no label and are not part of any number')
    if found.left_out:
        said.append(f'{found.left_out} places without a class or outside the map are left out')
    if found.complete:
        return said
    perfect = [
        name
        for name, value, places in zip(found.classes, numbers.users.value, numbers.counts.sum(axis=1), strict=True)
        if value in (0, 1) and 0 < places < 1e3
    ]
    if perfect:
        said.append(f'± 0 of {", ".join(perfect)} means that all places agree; up to 3 / places may still be otherwise')
    coarse = [found.classes[index] for index in coarsely_sampled(numbers)]
    if coarse:
        said.append(
            f'one place of another class stands for more than a tenth of {", ".join(coarse)}, so that intervals of '
            "area, producer's accuracy and IoU are too narrow there; check more places"
        )
    return said


def write_assessment(out: str | Path, found: Assessment, level: float, title: str) -> None:
    """Write ``assessment.json`` and the chart ``assessment.png``.

    Raises:
        InputError: A file cannot be written.
    """
    with writable(out, 'choose another --out'):
        with atomic_write(Path(out) / 'assessment.png') as file:
            file.write(chart(found, level, title))
        with atomic_write(Path(out) / 'assessment.json') as file:
            file.write(as_json(found, level).encode())


def chart(found: Assessment, level: float, title: str) -> bytes:
    """Draw areas as mapped and as estimated, and accuracies, with their intervals.

    Returns:
        A PNG file.
    """
    import io

    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    numbers, count = found.estimates, len(found.classes)
    scale = 100.0 if found.hectares is None else found.hectares * float(numbers.population.sum())
    figure = Figure(figsize=(10, 1.6 + 0.45 * count), dpi=110, layout='constrained')
    left, right = FigureCanvasAgg(figure).figure.subplots(1, 2, sharey=True)
    rows = np.arange(count)
    left.barh(rows, numbers.mapped * scale, 0.55, color='#c9ced6', label='counted in the map')
    parts = (
        (left, numbers.area, 0.0, scale, '#1f4e79', 'o', 'estimated'),
        (right, numbers.users, -0.17, 100.0, '#1f4e79', 'o', "user's accuracy"),
        (right, numbers.producers, 0.17, 100.0, '#c05a1c', 's', "producer's accuracy"),
    )
    for axes, measure, shift, factor, color, mark, label in parts:
        low, high = interval(measure, level)
        reach = np.nan_to_num(np.stack([measure.value - low, high - measure.value]) * factor).clip(0)
        spread = None if found.complete else reach
        style = {'color': color, 'marker': mark, 'ms': 5, 'capsize': 3, 'ls': ''}
        axes.errorbar(measure.value * factor, rows + shift, xerr=spread, label=label, **style)
    left.set_yticks(rows, found.classes)
    left.invert_yaxis()
    left.set_xlim(left=0)
    right.set_xlim(0, 101)
    left.set_xlabel('area, ha' if found.hectares is not None else 'share of the area, %')
    right.set_xlabel('%' if found.complete else f'%; intervals of {level:.0%}')
    for axes in (left, right):
        axes.legend(loc='upper center', bbox_to_anchor=(0.5, 1.0 + 0.55 / (0.9 + 0.45 * count)), ncols=2, frameon=False)
        axes.grid(axis='x', color='0.9')
        axes.set_axisbelow(True)
        axes.spines[['top', 'right', 'left']].set_visible(False)
        axes.tick_params(length=0)
    figure.suptitle(title, fontsize=11)
    file = io.BytesIO()
    figure.savefig(file, format='png')
    return file.getvalue()
