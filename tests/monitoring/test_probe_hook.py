import random

import numpy as np
import pytest
import torch
from torch import nn

from projects.false.monitoring.probe_hook import undisturbed


def draws():
    return random.random(), float(np.random.rand()), float(torch.rand(()))


@pytest.mark.parametrize('fails', [False, True])
def test_everything_is_as_it_was_even_after_an_error(fails):
    model = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2), nn.Dropout(0.5), nn.BatchNorm2d(2)).train()
    model[1].eval()  # as in a backbone with frozen statistics
    before = {name: value.clone() for name, value in model.state_dict().items()}
    torch.manual_seed(1), random.seed(1), np.random.seed(1)
    expected = draws()
    torch.manual_seed(1), random.seed(1), np.random.seed(1)
    try:
        with undisturbed(model):
            assert not any(module.training for module in model.modules())
            assert not model(torch.randn(4, 1, 3, 3)).requires_grad
            draws()
            if fails:
                raise KeyError
    except KeyError:
        assert fails
    assert [module.training for module in model] == [True, False, True, True]
    assert torch.is_grad_enabled()
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert draws() == expected
