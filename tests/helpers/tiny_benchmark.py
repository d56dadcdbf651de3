"""A benchmark that takes seconds: a narrow ResNet-18, views of 32 pixels, two epochs, on patches of the test data."""

from pathlib import Path

FINE_TUNE, PRETRAIN = 'configs/upernet_r18_synthetic.py', 'configs/simclr_r18_synthetic.py'

_SPEC = """
small = {{
    'train_dataloader.batch_size': 2,
    'train_dataloader.num_workers': 0,
    'train_dataloader.persistent_workers': False,
    'model.backbone.stem_channels': 8,
    'model.backbone.base_channels': 8,
}}
pretraining = {{
    **small,
    'model.neck.in_channels': 64,
    'train_dataloader.dataset.pipeline.1.size': 32,
    'default_hooks.checkpoint.interval': 1,
}}
segmentation = {{
    **small,
    'test_dataloader.num_workers': 0,
    'test_dataloader.persistent_workers': False,
    'test_dataloader.batch_size': 2,
    'model.data_preprocessor.size': (64, 64),
    'model.decode_head.in_channels': [8, 16, 32, 64],
    'model.decode_head.channels': 8,
    'model.auxiliary_head.in_channels': 32,
    'model.auxiliary_head.channels': 8,
}}
spec = dict(
    data=dict(root={data!r}),
    methods=dict(random=None, simclr=dict(config='configs/simclr_r18_synthetic.py', options=pretraining)),
    baseline='random',
    protocols=dict(upernet=dict(config='configs/upernet_r18_synthetic.py', options=segmentation)),
    seeds=[1],
    draws=[1],
    fractions=[0.5],
    budget=dict(epochs=2, iterations=11),
)
spec.update({changes})
globals().update(spec)
del small, pretraining, segmentation, spec
"""


def write_spec(path: Path, data: Path, changes: str = 'dict()') -> Path:
    """Write the spec; ``changes`` is the text of a dict of top-level keys, which may use ``spec``."""
    path.write_text(_SPEC.format(data=str(data), changes=changes))
    return path


def by_name(benchmark):
    """The planned steps of a benchmark, by name."""
    return {step.name: step for step in benchmark.plan.steps}


def reading(**evidence):
    """The text of a benchmark with a pretraining by evidence."""
    options = {f'train_dataloader.dataset.evidence.{key}': value for key, value in evidence.items()}
    method = f"dict(config='configs/false_simclr_r18_synthetic.py', options={{**pretraining, **{options}}})"
    return f'dict(methods=dict(random=None, f={method}))'
