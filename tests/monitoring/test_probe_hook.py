import random
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.dataset import ConcatDataset
from torch import nn

from projects.false import InputError
from projects.false.datasets import LoadPatch, UnlabelledPatches
from projects.false.monitoring.probe_hook import ProbeHook, undisturbed


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


def runner_of(dataset):
    """A runner that resumes, so that the hook reads the data and probes nothing yet."""
    return SimpleNamespace(train_dataloader=SimpleNamespace(dataset=dataset), iter=1)


def test_joined_data(patches):
    data = str(patches('mbrsc', 64))
    parts = [UnlabelledPatches(data, pipeline=[LoadPatch()]) for _ in range(2)]
    hook = ProbeHook(data_root=data, tested=None)
    hook.before_train(runner_of(ConcatDataset(parts)))
    assert hook._known.image(0).shape == (3, 64, 64)
    for part in parts:
        part.pipeline.transforms[0].bands = 4
    with pytest.raises(InputError, match='4 are needed'):
        hook.before_train(runner_of(ConcatDataset(parts)))


def test_patches_of_one_name_in_two_folders_are_different_patches(patches, tmp_path):
    data = shutil.copytree(patches('mbrsc', 64), tmp_path / 'data')
    name = (data / 'splits' / 'train.txt').read_text().split()[0]
    for folder in ('a', 'b'):
        for kind in ('images', 'masks'):
            (data / kind / folder).mkdir()
            shutil.copy(data / kind / f'{name}.png', data / kind / folder / 't0.png')
        (data / 'splits' / f'{folder}.txt').write_text(f'{folder}/t0\n')
    runner = runner_of(UnlabelledPatches(str(data), pipeline=[LoadPatch()]))
    hook = ProbeHook(known='splits/a.txt', tested='splits/b.txt')
    hook.before_train(runner)
    assert (hook._known.names(), hook._tested.names()) == (['a/t0'], ['b/t0'])
    both = ProbeHook(known='splits/a.txt', tested='splits/a.txt')
    with pytest.raises(InputError, match=r"a\.txt: 1 patches, such as 'a/t0', are also in splits/a\.txt"):
        both.before_train(runner)
