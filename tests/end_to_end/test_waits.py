"""How often a training step would wait for a GPU: for the numbers of the log alone."""

import numpy as np
import pytest
import torch
from mmengine.optim import build_optim_wrapper
from mmengine.registry import MODELS, init_default_scope
from mmengine.structures import BaseDataElement
from torch import nn

import projects.false.engine
import projects.false.models  # noqa: F401
from projects.false.engine.runner import on_the_host
from projects.false.losses import DETERMINATIONS
from tests.helpers.waits import Waits

IMAGES, KINDS = 4, 3
COMBINED = {name: dict(rules=['evidence', 'topk']) for name in ('all_of', 'any_of')}
FALSE_LOSS = {
    rule: dict(type='FALSELoss', positive_threshold=-1.0, determination=dict(type=rule, **COMBINED.get(rule, {})))
    for rule in DETERMINATIONS.module_dict
    if rule != 'in_turn'  # each of its rules is here
}
FALSE_LOSS['anchor_nearest']['determination'].update(k=2, floor=-0.5)
LOSSES = FALSE_LOSS | {
    'growing': dict(type='FALSELoss', positive_threshold=0.1, determination='topk', confidence_floor=0.1),
    **{name: dict(type=name) for name in ('NTXentLoss', 'FNCLoss', 'DebiasedLoss', 'HardNegativeLoss')},
    'elimination': dict(type='FNCLoss', mode='elimination'),
}
WITHOUT_QUEUE = {'released', 'mutual', 'nearest_features'}
# On a CPU the first two look for the few rows at the minimum; what they do on a GPU is in test_determinations.
# The others check the evidence, on a CPU alone, and that of the queue.
ON_A_CPU = {'released': 3, 'batch_nearest': 2, 'evidence': 1, 'all_of': 1, 'any_of': 1}
OF_THE_QUEUE = dict.fromkeys(('evidence', 'all_of', 'any_of', 'oracle'), 2)
ON_THE_HOST = 1  # the largest of the labels, which come from the loader
DRAWS = ['cpu', 'numpy']  # of the views, which are on the host and stay there


class Small(nn.Module):
    """A backbone of one convolution."""

    def __init__(self):
        super().__init__()
        self.convolution, self.norm = nn.Conv2d(3, 8, 3, 2), nn.BatchNorm2d(8)

    def forward(self, images):
        return (self.norm(self.convolution(images)).relu(),)


def batch():
    generator = np.random.default_rng(0)
    views = [torch.from_numpy(generator.integers(0, 256, (IMAGES, 3, 16, 16), dtype=np.uint8)) for _ in range(2)]
    row = [2, 0, 3, 1, 1.3, 0.7, 1.2, 0.1, 1.0, 0.9]
    samples = []
    for number in range(IMAGES):
        sample = BaseDataElement(metainfo=dict(sample_idx=number))
        evidence = generator.dirichlet(np.ones(KINDS), 2).astype(np.float32)
        place = np.array([[0, number, 0, number + 9, 9]] * 2, np.float32)
        sample.set_data(dict(evidence=evidence, place=place, land_cover=number % 2))
        samples.append(sample)
    return dict(inputs=[*views, torch.tensor([[row, row]] * IMAGES)], data_samples=samples)


def model(algorithm, loss):
    init_default_scope('mmpretrain')
    return MODELS.build(
        dict(
            type=algorithm,
            data_preprocessor=dict(type='ViewPreprocessor', mean=[120.0] * 3, std=[60.0] * 3),
            backbone=dict(type=Small),
            neck=dict(type='FALSENeck', in_channels=8, hid_channels=8, out_channels=8),
            head=dict(type='FALSEHead', loss=loss),
            **(dict(queue_len=8, feat_dim=8, queue_kinds=KINDS) if algorithm == 'FALSEMoCo' else {}),
        )
    )


def waits_of_a_step(trained):
    wrapper = build_optim_wrapper(trained, dict(optimizer=dict(type='LARC', lr=0.1)))
    for _ in range(2):  # the first makes the buffers
        data = batch()
        with Waits() as waits:
            numbers = trained.train_step(data, wrapper)
    with Waits() as log:
        on_the_host({'cosine': torch.tensor(0.5), **numbers})
    assert log.calls == ['tolist']
    assert waits.calls[:2] == DRAWS
    return waits.calls[2:]


@pytest.mark.parametrize('name', LOSSES)
def test_the_simclr_form_never_waits(name):
    calls = waits_of_a_step(model('FALSE', LOSSES[name]))
    assert len(calls) == ON_A_CPU.get(name, 0), calls


@pytest.mark.parametrize('name', sorted(LOSSES.keys() - WITHOUT_QUEUE))
def test_the_moco_form_never_waits(name):
    calls = waits_of_a_step(model('FALSEMoCo', LOSSES[name]))
    on_the_host = ON_THE_HOST if name == 'oracle' else 0
    assert len(calls) == (ON_A_CPU | OF_THE_QUEUE).get(name, 0) + on_the_host, calls


def test_waits_are_seen():
    numbers, wanted = torch.arange(4.0), torch.tensor([True, False, True, False])
    with Waits() as waits:
        for wait in (numbers[0].item, numbers.sum().__bool__, numbers.nonzero, numbers.cpu, numbers.tolist):
            wait()
        numbers[wanted]
        numbers[wanted] = 0.0
        numbers[torch.tensor([0, 1])].sum()
    names = ['_local_scalar_dense', '_local_scalar_dense', 'nonzero', 'cpu', 'tolist', 'index', 'index_put_']
    assert waits.calls == names


@pytest.mark.slow
def test_a_compiled_model_runs_the_loss_as_it_is():
    """The compiler must not see blocks that are differentiated as they are made."""
    graphs = []

    def backend(graph, inputs):
        graphs.append(graph)
        return graph.forward

    trained = model('FALSE', LOSSES['evidence'])
    wrapper = build_optim_wrapper(trained, dict(optimizer=dict(type='LARC', lr=0.1)))
    plain = trained.train_step(batch(), wrapper)
    trained = model('FALSE', LOSSES['evidence'])
    trained.forward = torch.compile(trained.forward, backend=backend)
    found = trained.train_step(batch(), wrapper)
    assert plain.keys() == found.keys()
    assert torch.isfinite(found['loss'])
    operators = {str(node.target) for graph in graphs for node in graph.graph.nodes}
    assert any('conv' in name for name in operators)
    assert not any('exp' in name or 'normalize' in name for name in operators)
