"""Converted weights come back bit for bit and compute the same features in both libraries."""

from collections import OrderedDict

import pytest
import torch
from mmengine.registry import MODELS, DefaultScope

from projects.false.common.errors import InputError
from projects.false.engine.checkpoints.files import read_checkpoint, write_checkpoint
from projects.false.engine.weights.backbone import export_backbone
from projects.false.engine.weights.conversion import FORMS, convert_weights
from projects.false.engine.weights.resnet import find_resnet, is_part
from projects.false.models.timm_backbone import TimmBackbone
from tests.helpers.networks import build, randomise, stages

FACTS = {'method': 'FALSE', 'config_name': 'mine', 'epoch': 3, 'depth': 18}


def weights_of(path) -> dict:
    return find_resnet(read_checkpoint(path), str(path)).weights


def start_from(path, scope: str, depth: int, **changes):
    """A backbone as a recipe starts it."""
    backbone = build(scope, depth, init_cfg=dict(type='PretrainedBackbone', checkpoint=str(path)), **changes)
    backbone.init_weights()
    return backbone


def assert_equal(found: dict, expected: dict) -> None:
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name].dtype == value.dtype
        assert torch.equal(found[name], value), name


@pytest.fixture(scope='module')
def state():
    return randomise(build('torchvision', 18)).state_dict()


@pytest.fixture
def ours(state, tmp_path):
    path = tmp_path / 'backbone.pth'
    write_checkpoint({'state_dict': dict(state), 'meta': FACTS}, path)
    return path


@pytest.mark.parametrize('suffix', ['.pth', '.safetensors'])
@pytest.mark.parametrize('form', FORMS)
def test_round_trip(ours, state, tmp_path, form, suffix):
    there = tmp_path / f'there{suffix}'
    done = convert_weights(ours, there, form)
    assert (len(done.report.matched), done.report.missing, done.report.unexpected) == (len(state), (), ())
    back = convert_weights(there, tmp_path / 'back.pth', 'ours')
    assert (len(back.report.matched), back.report.missing, back.report.unexpected) == (len(state), (), ())
    read = torch.load(tmp_path / 'back.pth', weights_only=True)
    assert_equal(read['state_dict'], dict(state))
    bare = form in ('torchvision', 'timm') and suffix == '.pth'  # a plain state dict has no place for facts
    expected = {'depth': 18} if bare else FACTS
    assert {name: read['meta'][name] for name in expected} == expected


@pytest.mark.parametrize(('depth', 'suffix'), [(18, '.pth'), (50, '.safetensors')])
def test_features_of_our_weights_in_other_libraries(tmp_path, depth, suffix):
    network = randomise(build('mmpretrain', depth))
    whole = {f'backbone.{name}': value for name, value in network.state_dict().items()}
    write_checkpoint({'state_dict': whole | {'neck.fc.weight': torch.ones(2)}, 'meta': {}}, tmp_path / 'epoch_1.pth')
    expected = stages('mmpretrain', network)
    assert all(0.1 < stage.std() < 100 for stage in expected)
    for kind in ('torchvision', 'timm'):
        path = tmp_path / f'{kind}{suffix}'
        assert convert_weights(tmp_path / 'epoch_1.pth', path, kind).report.unexpected == ('neck.fc.weight',)
        loaded = read_checkpoint(path)
        other = build(kind, depth)
        other.load_state_dict(loaded['state_dict'] if suffix == '.safetensors' else loaded, strict=True)
        for found, stage in zip(stages(kind, other), expected, strict=True):
            torch.testing.assert_close(found, stage, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize('depth', [18, 50])
@pytest.mark.parametrize('kind', ['torchvision', 'timm'])
def test_features_of_other_libraries_in_ours(tmp_path, kind, depth):
    network = randomise(build(kind, depth))
    given = network.state_dict() | {'fc.weight': torch.ones(10, 4), 'fc.bias': torch.ones(10)}
    torch.save(given, tmp_path / 'theirs.pth', _use_new_zipfile_serialization=False)  # like old published files
    done = convert_weights(tmp_path / 'theirs.pth', tmp_path / 'backbone.pth', 'ours')
    assert done.report.unexpected == ('fc.weight', 'fc.bias')
    for scope in ('mmseg', 'mmpretrain'):
        backbone = start_from(tmp_path / 'backbone.pth', scope, depth)
        for found, stage in zip(stages(scope, backbone), stages(kind, network), strict=True):
            torch.testing.assert_close(found, stage, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize('suffix', ['.pth', '.safetensors'])
def test_a_fine_tuned_network_keeps_its_heads(tmp_path, suffix):
    head = dict(type='FCNHead', in_channels=64, in_index=0, channels=8, num_classes=3, norm_cfg=dict(type='BN'))
    backbone = dict(type='ResNet', depth=18)
    build('mmseg', 18)
    with DefaultScope.overwrite_default_scope('mmseg'):
        model = MODELS.build(
            dict(type='EncoderDecoder', backbone=backbone, decode_head=head, auxiliary_head=dict(head, in_index=0))
        )
    state = randomise(model).state_dict()
    meta = {'iter': 9, 'dataset_meta': {'classes': ['a', 'b', 'c'], 'palette': [[0, 0, 0], [1, 1, 1], [2, 2, 2]]}}
    write_checkpoint({'state_dict': dict(state), 'meta': meta, 'optimizer': {'lr': 1}}, tmp_path / 'iter_9.pth')
    done = convert_weights(tmp_path / 'iter_9.pth', tmp_path / f'plain{suffix}', 'mmseg')
    assert (done.heads, done.report.unexpected) == (len(state) - 120, ())
    loaded = read_checkpoint(tmp_path / f'plain{suffix}')
    assert_equal(loaded['state_dict'], dict(state))
    assert loaded.keys() == {'state_dict', 'meta'}
    assert loaded['meta']['dataset_meta'] == meta['dataset_meta']
    backbone_alone = convert_weights(tmp_path / f'plain{suffix}', tmp_path / 'backbone.pth', 'ours')
    assert {name.split('.')[0] for name in backbone_alone.report.unexpected} == {'decode_head', 'auxiliary_head'}


def official_moco(state, other):
    named = {f'module.encoder_q.{name}': value for name, value in state.items()}
    named |= {f'module.encoder_q.fc.{layer}.weight': torch.ones(2, 2) for layer in (0, 2)}
    named |= {f'module.encoder_k.{name}': value for name, value in other.items()}
    return {'epoch': 200, 'arch': 'resnet18', 'state_dict': OrderedDict(named | {'module.queue': torch.ones(4, 2)})}


def mmselfsup_moco(state, other):
    named = {f'encoder_k.0.{name}': value for name, value in other.items()}
    return {'meta': {}, 'state_dict': named | {f'encoder_q.0.{name}': value for name, value in state.items()}}


def vissl(state, other):
    trunk = {f'_feature_blocks.{name}': value for name, value in state.items()}
    model = {'trunk': trunk, 'heads': {'0.clf.0.weight': torch.ones(2, 2)}}
    return {'classy_state_dict': {'base_model': {'model': model}}, 'phase_idx': 3}


def own_moco(state, other):
    named = {f'key_encoder.module.0.{name}': value for name, value in other.items()}
    return {'meta': {}, 'state_dict': named | {f'backbone.{name}': value for name, value in state.items()}}


def parallel(state, other):
    return {'model': {f'module.{name}': value for name, value in state.items()}}


def dino(state, other):
    """Whose authors evaluate the teacher, which follows the student."""
    student = {f'module.backbone.{name}': value for name, value in other.items()}
    return {'student': student, 'teacher': {f'backbone.{name}': value for name, value in state.items()}, 'epoch': 1}


def net(state, other):
    return {'net': dict(state), 'acc': 1.0}


CHILDREN = {'conv1': '0', 'bn1': '1', 'layer1': '4', 'layer2': '5', 'layer3': '6', 'layer4': '7'}


def sequence(state):
    return {f'{CHILDREN[name.split(".")[0]]}.{name.partition(".")[2]}': value for name, value in state.items()}


def lightly(state, other):
    named = {f'backbone_momentum.{name}': value for name, value in sequence(other).items()}
    named |= {f'backbone.{name}': value for name, value in sequence(state).items()}
    return {'state_dict': named | {'projection_head.layers.0.weight': torch.ones(2, 2)}, 'global_step': 5}


def seco(state, other):
    return {
        'state_dict': {
            f'encoder_{part}.{name}': value
            for part, given in (('k', other), ('q', state))
            for name, value in sequence(given).items()
        }
    }


def byol(state, other):
    return {
        'target_network_state_dict': {f'encoder.{name}': value for name, value in sequence(other).items()},
        'online_network_state_dict': {f'encoder.{name}': value for name, value in sequence(state).items()},
    }


def byol_of_one_module(state, other):
    """The same module under two names, and its target."""
    parts = {'net': state, 'online_encoder.net': state, 'target_encoder.net': other}
    return {f'{part}.{name}': value for part, given in parts.items() for name, value in given.items()}


def swav(state, other):
    named = {f'module.{name}': value for name, value in state.items()}
    return named | {'module.prototypes.weight': torch.ones(4, 8), 'module.projection_head.0.weight': torch.ones(4, 8)}


def pixpro(state, other):
    named = {f'module.encoder_k.{name}': value for name, value in other.items()}
    return {'model': named | {f'module.encoder.{name}': value for name, value in state.items()}, 'opt': {}}


def barlow_twins(state, other):
    return {'epoch': 3, 'backbone': dict(state), 'head': {'0.weight': torch.ones(2, 2)}}


def unknown_prefix(state, other):
    return {f'student.net.{name}': value for name, value in state.items()}


OTHERS = [
    official_moco, mmselfsup_moco, vissl, own_moco, parallel, dino, net, lightly, seco, byol, byol_of_one_module, swav,
    pixpro, barlow_twins, unknown_prefix,
]  # fmt: skip


@pytest.mark.parametrize('make', OTHERS)
def test_checkpoints_of_other_projects(state, tmp_path, make):
    """The query encoder is taken, never the momentum encoder, whose weights differ; fine-tuning takes the same."""
    other = {name: value + 1 for name, value in state.items()}
    torch.save(make(dict(state), other), tmp_path / 'theirs.pth')
    done = convert_weights(tmp_path / 'theirs.pth', tmp_path / 'backbone.pth', 'ours')
    assert len(done.report.matched) == len(state)
    assert_equal(weights_of(tmp_path / 'backbone.pth'), dict(state))
    found = weights_of(tmp_path / 'theirs.pth')
    assert_equal({name: value for name, value in found.items() if is_part(name)}, dict(state))


def test_heads_of_other_projects_are_left_out(state, tmp_path):
    torch.save(swav(dict(state), None), tmp_path / 'swav.pth')
    assert_equal(start_from(tmp_path / 'swav.pth', 'mmseg', 18).state_dict(), dict(state))


def test_the_option_that_chooses_one_of_several(state, tmp_path):
    several = {f'{part}.{name}': value + (part == 'b') for part in ('a', 'b') for name, value in dict(state).items()}
    path = tmp_path / 'theirs.pth'
    torch.save({'nets': several}, path)
    with pytest.raises(InputError, match=r"'nets\.b\.'; choose one with model\.backbone\.init_cfg\.prefix=nets\.a"):
        start_from(path, 'mmseg', 18)
    chosen = build('mmseg', 18, init_cfg=dict(type='PretrainedBackbone', checkpoint=str(path), prefix='nets.b.'))
    chosen.init_weights()
    assert_equal(chosen.state_dict(), {name: value + 1 for name, value in dict(state).items()})


@pytest.mark.parametrize('value', [float('nan'), float('inf')])
def test_weights_that_are_not_finite(state, tmp_path, value):
    path = tmp_path / 'theirs.pth'
    torch.save(dict(state) | {'bn1.bias': state['bn1.bias'] * value}, path)
    with pytest.raises(InputError, match=r'theirs\.pth: 1 of its weights are NaN or infinite, the first is bn1\.bias'):
        convert_weights(path, tmp_path / 'out.pth', 'ours')
    with pytest.raises(InputError, match='NaN or infinite'):
        start_from(path, 'mmseg', 18)
    torch.save({'state_dict': {'backbone.weight': torch.tensor([value])}}, path)
    with pytest.raises(InputError, match='NaN or infinite'):
        export_backbone(path, tmp_path / 'out.pth')
    assert not (tmp_path / 'out.pth').exists()


def test_another_encoder_by_its_prefix(state, tmp_path):
    other = {name: value + 1 for name, value in state.items()}
    torch.save(official_moco(dict(state), other), tmp_path / 'theirs.pth')
    convert_weights(tmp_path / 'theirs.pth', tmp_path / 'keys.pth', 'ours', 'module.encoder_k.')
    assert_equal(weights_of(tmp_path / 'keys.pth'), other)


def test_counters_of_batches_may_be_absent(state, tmp_path):
    kept = {name: value for name, value in state.items() if not name.endswith('num_batches_tracked')}
    torch.save(kept, tmp_path / 'old.pth')
    done = convert_weights(tmp_path / 'old.pth', tmp_path / 'new.pth', 'torchvision')
    assert len(done.report.missing) == 20
    assert ', ...), 0 unexpected' in done.report.text()
    build('torchvision', 18).load_state_dict(torch.load(tmp_path / 'new.pth', weights_only=True), strict=True)


def test_four_bands(tmp_path):
    state = randomise(build('timm', 18, bands=4)).state_dict()
    torch.save(state, tmp_path / 'four.pth')
    convert_weights(tmp_path / 'four.pth', tmp_path / 'ours.pth', 'ours')
    backbone = start_from(tmp_path / 'ours.pth', 'mmseg', 18, bands=4)
    assert torch.equal(backbone.conv1.weight, state['conv1.weight'])
    with pytest.raises(InputError, match=r'conv1\.weight: \(64, 4, 7, 7\) instead of \(64, 3, 7, 7\).*three bands'):
        convert_weights(tmp_path / 'ours.pth', tmp_path / 'no.pth', 'torchvision')
    assert not (tmp_path / 'no.pth').exists()


def without(state, *names):
    return {name: value for name, value in state.items() if name not in names}


BROKEN = {
    'no ResNet': (lambda s: {'blocks.0.attn.qkv.weight': torch.ones(2)}, 'holds no ResNet, 0 of its 1 tensors match'),
    'empty': (lambda s: {}, 'holds no ResNet, 0 of its 0 tensors match; give a file with weights'),
    'a list': (lambda s: [torch.ones(1)], 'holds no ResNet'),
    'incomplete': (lambda s: without(s, 'layer3.1.bn2.weight', 'bn1.bias'), r'118 matched, 2 missing \(bn1.bias, lay'),
    'another shape': (
        lambda s: s | {'layer2.0.conv1.weight': torch.ones(64, 64, 3, 3)},
        r'1 weights of ResNet-18 .*layer2\.0\.conv1\.weight: \(64, 64, 3, 3\) instead of \(128, 64, 3, 3\)',
    ),
    'no standard depth': (
        lambda s: {name: value for name, value in s.items() if not name.startswith('layer1.1.')},
        r"ResNet \(1-2-2-2 basic blocks\) under '' is not a standard one, 0 matched",
    ),
    'two encoders': (
        lambda s: {f'{part}.{name}': value + (part == 'b') for part in ('a', 'b') for name, value in s.items()},
        "several ResNets, under 'a.', 'b.'; choose one with --prefix",
    ),
}  # fmt: skip


@pytest.mark.parametrize('form', ['ours', 'torchvision'])
@pytest.mark.parametrize('kind', BROKEN)
def test_anything_but_a_whole_resnet_is_refused(state, tmp_path, kind, form):
    make, text = BROKEN[kind]
    torch.save(make(dict(state)), tmp_path / 'theirs.pth')
    with pytest.raises(InputError, match=text) as caught:
        convert_weights(tmp_path / 'theirs.pth', tmp_path / 'out.pth', form)
    assert str(caught.value).startswith(f'{tmp_path}/theirs.pth: ')
    assert [path.name for path in tmp_path.iterdir()] == ['theirs.pth']


def test_wrong_output_prefix_and_form(ours, tmp_path):
    for out, text in (
        ('out.bin', 'unknown kind of file; give a name that ends in .pth, .pt or .safetensors'),
        ('backbone.pth', 'is the file to convert'),
        ('folder.pth', 'is a folder'),
        ('backbone.pth/x.pth', 'cannot write'),
        ('backbone.pth/x.safetensors', 'cannot write'),
    ):
        (tmp_path / 'folder.pth').mkdir(exist_ok=True)
        with pytest.raises(InputError, match=text):
            convert_weights(ours, tmp_path / out, 'ours')
    with pytest.raises(InputError, match=r"no ResNet under the prefix 'x\.'; there is one under ''"):
        convert_weights(ours, tmp_path / 'new.pth', 'ours', 'x.')
    with pytest.raises(InputError, match='unknown form'):
        convert_weights(ours, tmp_path / 'new.pth', 'keras')


def test_a_network_of_timm(tmp_path):
    network = TimmBackbone('mobilenetv3_small_050')
    given = {f'backbone.{name}': value for name, value in network.state_dict().items()}
    torch.save({'state_dict': given | {'neck.w': torch.ones(1)}}, tmp_path / 'epoch_1.pth')
    for form in ('ours', 'mmseg', 'timm'):
        done = convert_weights(tmp_path / 'epoch_1.pth', tmp_path / f'{form}.pth', form)
        assert done.report.text().startswith(f'{len(given)} matched, 0 missing')
    assert_equal(read_checkpoint(tmp_path / 'ours.pth')['state_dict'], network.state_dict())
    assert_equal(read_checkpoint(tmp_path / 'mmseg.pth')['state_dict'], given)
    assert_equal(read_checkpoint(tmp_path / 'timm.pth'), network.timm_model.state_dict())
    with pytest.raises(InputError, match='give --to timm'):
        convert_weights(tmp_path / 'ours.pth', tmp_path / 'no.pth', 'torchvision')
