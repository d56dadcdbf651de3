"""Check before any training that a benchmark fits its data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from mmengine.config import Config

from projects.false.common.errors import InputError
from projects.false.engine.start_checks import check_batches, check_classes, check_queue
from projects.false.imagery.palettes import Palette, load_palette
from projects.false.patch_folder.description import read_labelled_description
from projects.false.patch_folder.labelled_lists import write_lists
from projects.false.patch_folder.lists import read_list

from .recipes import digest, file_digest
from .spec import Spec


@dataclass(frozen=True)
class BenchmarkData:
    """The data that the runs read.

    Attributes:
        root: Absolute path of the folder.
        palette: Classes and colours.
        digest: Fingerprint of the patches and of the list to pretrain on.
        part_digest: Fingerprint of the list to test on.
        unlabelled: Number of patches to pretrain on.
        tested: Number of patches to test on.
        lists: Name of the list of labelled patches, by fraction and draw.
        patches: Names of the patches in each of these lists.
        labelled: Number of patches in each of these lists.
    """

    root: Path
    palette: Palette
    digest: str
    part_digest: str
    unlabelled: int
    tested: int
    lists: Mapping[tuple[float, int], str]
    patches: Mapping[tuple[float, int], Sequence[str]]
    labelled: Mapping[tuple[float, int], int]


def check_data(spec: Spec, part: str) -> BenchmarkData:
    """Check the data, and draw the lists of labelled patches that are missing.

    Raises:
        InputError: The data is missing, a list is empty or damaged, or patches that need labels have none.
    """
    root = Path(spec.data_root).resolve()
    description = read_labelled_description(root)
    pixels_of = {patch['name']: np.array(patch['pixels'][:-1]) for patch in description['patches']}
    splits = root / 'splits'
    names = {name: read_list(splits / f'{name}.txt', pixels_of.keys()) for name in ('pretrain', part)}
    unknown = [name for name in names[part] if name not in pixels_of]
    if unknown:
        raise InputError(
            f'{splits / part}.txt: names {unknown[0]!r}, which is not in dataset.json; convert the data again'
        )
    if not sum(int(pixels_of[name].sum()) for name in names[part]):
        raise InputError(
            f'{splits / part}.txt: its {len(names[part])} patches have no labelled pixel; report on others'
        )
    drawn = write_lists(root, spec.fractions, spec.draws)
    keys = [(fraction, draw) for draw in spec.draws for fraction in sorted(spec.fractions)]
    for entry in drawn:
        if not entry.pixels.sum():
            raise InputError(
                f'{splits / entry.name}.txt: {len(entry.names)} patches without a labelled pixel; give a larger share'
            )
    return BenchmarkData(
        root=root,
        palette=Palette.from_description(description, root / 'dataset.json'),
        digest=digest(file_digest(root / 'dataset.json'), names['pretrain']),
        part_digest=digest(names[part]),
        unlabelled=len(names['pretrain']),
        tested=len(names[part]),
        lists={key: entry.name for key, entry in zip(keys, drawn, strict=True)},
        patches={key: entry.names for key, entry in zip(keys, drawn, strict=True)},
        labelled={key: len(entry.names) for key, entry in zip(keys, drawn, strict=True)},
    )


def check_fine_tuning(name: str, config: Config, data: BenchmarkData) -> None:
    """Check that a protocol has the classes of the data.

    Raises:
        InputError: The classes differ.
    """
    for loader in ('train_dataloader', 'test_dataloader'):
        palette = config[loader].dataset.get('palette')
        if palette is not None and load_palette(palette).classes != data.palette.classes:
            raise InputError(
                f'protocols.{name} ({config.filename}): {loader}.dataset.palette is {palette!r}, of other classes than '
                f'the data ({", ".join(data.palette.classes)}); set it by options to the palette that the data was '
                'converted with'
            )
    heads = {key: config.model[key] for key in ('decode_head', 'auxiliary_head') if config.model.get(key)}
    try:
        check_classes({key: head.get('num_classes') for key, head in heads.items()}, list(data.palette.classes))
    except InputError as error:
        raise InputError(f'protocols.{name} ({config.filename}): {error}') from error


def check_pretraining(configs: Mapping[str, Config], data: BenchmarkData) -> None:
    """Check that every pretraining fills its batches, and that all see the same number of images.

    Raises:
        InputError: A pretraining does not fill a batch, or the numbers differ.
    """
    seen: dict[int, str] = {}
    for name, config in configs.items():
        batch, queue = config.train_dataloader.batch_size, config.model.get('queue_len')
        steps = data.unlabelled // batch
        try:
            check_batches(data.unlabelled, batch, steps)
            if queue:
                check_queue(queue, data.unlabelled, batch)
        except InputError as error:
            raise InputError(f'methods.{name} ({config.filename}): {error}') from error
        seen.setdefault(steps * batch * config.train_cfg.max_epochs, name)
    if len(seen) > 1:
        counts = ', '.join(f'{name} {number}' for number, name in seen.items())
        raise InputError(
            f'methods see different numbers of images ({counts}); set budget.epochs and the same batch size for all'
        )
