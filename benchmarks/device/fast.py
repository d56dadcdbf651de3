"""Is it fast: training against a bare loop and against its own pipeline, the loss, segmentation, and maps."""

import json
from collections.abc import Callable, Iterator
from itertools import islice

import torch
from torch import Tensor

from benchmarks.losses.embeddings import make_embeddings
from benchmarks.losses.sides import LIGHTLY, all_sides
from benchmarks.losses.timing import interleaved, quartiles
from benchmarks.mapping.made_scene import write_scene
from benchmarks.mapping.measuring import Cell, in_a_process
from benchmarks.mapping.report import model_share
from benchmarks.mapping.sides import MIXED, OURS, SLIDE

from .made import Row, Setting, Trained, row, save_segmenter


def training(setting: Setting) -> Iterator[Row]:
    """Compare images per second: a bare loop, the recipe on a fake batch, its pipeline alone, and both."""
    for recipe, trained_views, encoded_views in (
        ('false_mocov2_r50_potsdam', 1, 1),
        ('false_simclr_r50_potsdam', 2, 0),
    ):
        bare = setting.rate(_bare_step(setting, trained_views, encoded_views), setting.batch, 0.08)
        yield row(f'{recipe}: torchvision alone, the same views, images/s', bare, '{:,.1f}')
        trained = Trained(setting, recipe)
        data = trained.fake()
        if setting.device == 'cuda':
            torch.cuda.reset_peak_memory_stats()
        fake = setting.rate(lambda trained=trained, data=data: trained.step(data), setting.batch, 0.08)
        yield row(f'{recipe}: fake data, images/s', fake, '{:,.1f}')
        if setting.device == 'cuda':
            yield row(f'{recipe}: peak memory, GiB', torch.cuda.max_memory_allocated() / 2**30, '{:.1f}')
        yield row(f'{recipe}: fake data against torchvision alone', fake / bare, '{:.1%}', least=0.9)
        batches = trained.loaded()
        list(islice(batches, setting.choose(4, 1)))  # the workers start
        pipeline = setting.rate(lambda batches=batches: next(batches), setting.batch, 0.08, least=8)
        yield row(f'{recipe}: pipeline alone, images/s', pipeline, '{:,.1f}')
        both = setting.rate(
            lambda trained=trained, batches=batches: trained.step(next(batches)), setting.batch, 0.1, least=16
        )
        yield row(f'{recipe}: both, images/s', both, '{:,.1f}')
        yield row(f'{recipe}: both against fake data', both / fake, '{:.1%}', least=0.9)


def _bare_step(setting: Setting, trained_views: int, encoded_views: int) -> Callable[[], None]:
    """Make a step of torchvision's ResNet alone, in the precision and the memory format of the recipes.

    Args:
        setting: Of the part.
        trained_views: Views per image with a backward pass.
        encoded_views: Views per image without one.
    """
    import torchvision

    device, count = setting.device, setting.batch
    network = setting.choose(torchvision.models.resnet50, torchvision.models.resnet18)(num_classes=128).to(device)
    network = network.to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.SGD(network.parameters(), 0.01, momentum=0.9)
    images = torch.rand((count * trained_views, 3, setting.side, setting.side), device=device)
    images = images.contiguous(memory_format=torch.channels_last)

    def step() -> None:
        with torch.autocast(device, dtype=torch.bfloat16):
            loss = network(images).float().square().mean()
            if encoded_views:
                with torch.no_grad():
                    network(images[: count * encoded_views])
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


def loss(setting: Setting) -> Iterator[Row]:
    """Compare forward and backward of the losses with lightly's and with the one matrix product that they must do."""
    wanted = ('anchor_nearest', 'evidence', 'released', 'NTXentLoss', LIGHTLY)
    dtype = torch.bfloat16 if setting.device == 'cuda' else torch.float32
    for rows in setting.choose((4096, 16384, 65536), (64,)):
        try:
            batch = make_embeddings('nearest', rows, 128, setting.device, dtype)
        except RuntimeError as error:
            yield Row(f'loss, {rows:,} rows', str(error)[:300], None, 'measured', False)
            continue
        unit = batch.rows.detach().float()
        sides: dict[str, tuple[Callable[[], Tensor], Tensor]] = {}
        for side in all_sides():
            if side.name not in wanted:
                continue
            refused = side.refuse(batch)
            try:
                sides[side.name] = side.prepare(batch), batch.rows
            except Exception as error:
                refused = refused or str(error)
            if refused:
                sides.pop(side.name, None)
                yield Row(f'loss, {rows:,} rows: {side.name}', refused)
        taken = {name: quartiles(times)[1] for name, times in interleaved(sides, 5, setting.seconds / 30).items()}
        product = setting.rate(_product(unit), 1, 0.01)
        yield row(f'loss, {rows:,} rows: one product of float32, ms', 1e3 / product, '{:.2f}')
        for name, seconds in taken.items():
            if setting.device == 'cuda':
                torch.cuda.reset_peak_memory_stats()
                before = torch.cuda.memory_allocated()
                sides[name][0]().backward()
                peak = (torch.cuda.max_memory_allocated() - before) / 2**20
                yield row(f'loss, {rows:,} rows: {name}, peak extra memory, MiB', peak, '{:,.0f}')
            most = None
            text = f'loss, {rows:,} rows: {name}, ms ({seconds * product:.1f} products)'
            if LIGHTLY in taken and name != LIGHTLY:
                most = 1e3 * taken[LIGHTLY]
            yield row(text, 1e3 * seconds, '{:.2f}', most=most)


def _product(rows: Tensor) -> Callable[[], Tensor]:
    """Make the product of all rows with all rows, in blocks if the result is large."""
    size = max(1, min(len(rows), 2**28 // len(rows)))
    return lambda: [part @ rows.T for part in rows.split(size)][-1]


def segmentation(setting: Setting) -> Iterator[Row]:
    """Compare fine-tuning of UPerNet on ResNet-50 with the same model as mmseg trains it."""
    rates = {}
    for name, precision, channels_last in (
        ('mmseg, float32', 'float32', False),
        ('mmseg, --amp (float16)', 'float16' if setting.device == 'cuda' else 'bfloat16', False),
        ('ours, --amp (bfloat16)', 'bfloat16', True),
    ):
        trained = Trained(setting, 'upernet_r50_potsdam', precision, channels_last)
        data = trained.fake()
        count = len(data['inputs'])
        rates[name] = setting.rate(lambda trained=trained, data=data: trained.step(data), count, 0.2)
        yield row(f'UPerNet, {name}, images/s', rates[name], '{:,.1f}')
    plain, mixed, ours = rates.values()
    yield row('UPerNet, ours against mmseg in float32', ours / plain, '{:.2f}x', least=1)
    yield row('UPerNet, ours against mmseg with --amp', ours / mixed, '{:.2f}x', least=1)


def maps(setting: Setting) -> Iterator[Row]:
    """Compare mapping with mmseg's slide mode, each in a process of its own; 50 % overlap."""
    files, window, found = save_segmenter(setting), setting.choose(256, 64), {}
    for side, size in ((OURS, 8192), (MIXED, 8192), (SLIDE, 4096)):
        size = setting.choose(size, 96)
        source = setting.folder / f'scene_{size}.tif'
        if not source.exists():
            write_scene(source, size)
        cell = Cell(side, str(source), str(setting.folder / 'scene_map.tif'), window, 0.5)
        found[side] = in_a_process(cell, files, setting.device, torch.get_num_threads())
        (setting.folder / 'scene_map.tif').unlink(missing_ok=True)
        speed = size**2 / 1e6 / found[side]['wall']
        found[side]['speed'] = speed
        yield row(f'map, {size} pixels square, {side}, megapixels/s', speed, '{:,.2f}')
        yield row(f'map, {side}: share of the time in the model', model_share(found[side]), '{:.0%}')
    for side in (OURS, MIXED):
        ratio = found[side]['speed'] / found[SLIDE]['speed']
        yield row(f'map, {side} against slide mode', ratio, '{:.1f}x', least=10)


def waiting(setting: Setting) -> Iterator[Row]:
    """Profile 10 steps: waits for the device, largest gaps between kernels, and the kernels that take longest."""
    from torch.profiler import ProfilerActivity, profile

    for recipe in ('false_simclr_r50_potsdam', 'false_mocov2_r50_potsdam', 'upernet_r50_potsdam'):
        trained = Trained(setting, recipe)
        data, steps = trained.fake(), setting.choose(10, 2)
        for _ in range(setting.choose(3, 1)):
            trained.step(data)
        setting.wait()
        activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if setting.device == 'cuda' else [])]
        with profile(activities=activities) as seen:
            for _ in range(steps):
                trained.step(data)
            setting.wait()
        trace = setting.folder / f'{recipe}.json'
        seen.export_chrome_trace(str(trace))
        yield from of_trace(json.loads(trace.read_text())['traceEvents'], recipe, steps)


def of_trace(events: list[dict], recipe: str, steps: int) -> Iterator[Row]:
    """Summarise a trace of the profiler: waits per step, busy share and gaps of the device, top kernels."""
    waits = [e for e in events if 'Synchronize' in e.get('name', '') and e.get('ph') == 'X']
    inside = len(waits) - 2  # the profiler's own at the end, and that after the last step
    yield row(f'{recipe}: waits per step', max(0, inside) / steps, '{:.1f}', most=0.5)
    kernels = sorted(
        (e for e in events if e.get('ph') == 'X' and e.get('cat') in ('kernel', 'gpu_memcpy', 'gpu_memset')),
        key=lambda e: e['ts'],
    )
    if kernels:
        gaps, end, busy = [], kernels[0]['ts'], 0.0
        for kernel in kernels:
            gaps.append(max(0.0, kernel['ts'] - end))
            busy += max(0.0, kernel['ts'] + kernel['dur'] - max(end, kernel['ts']))
            end = max(end, kernel['ts'] + kernel['dur'])
        total = end - kernels[0]['ts']
        yield row(f'{recipe}: device at work', busy / total, '{:.1%}')
        largest = ', '.join(f'{gap / 1e3:.1f}' for gap in sorted(gaps)[:-6:-1])
        yield Row(f'{recipe}: largest gaps in ms', largest)
        yield row(f'{recipe}: kernels per step', len(kernels) / steps, '{:,.0f}')
    longest: dict[str, float] = {}
    for event in kernels or [e for e in events if e.get('cat') == 'cpu_op']:
        longest[event['name']] = longest.get(event['name'], 0) + event['dur']
    for name, spent in sorted(longest.items(), key=lambda item: -item[1])[:8]:
        yield Row(f'{recipe}: {name[:70]}', f'{spent / steps / 1e3:.2f} ms per step', spent / steps / 1e3)
