"""A published model is the model that was published, without anything of the machine that it was trained on."""

import json
import re

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmseg.models.backbones import ResNet

import projects.false.engine  # noqa: F401  registers the initializer
from projects.false.common.errors import InputError
from projects.false.common.published import check_plain
from projects.false.engine.checkpoints.files import read_checkpoint
from projects.false.engine.weights.backbone import export_backbone
from projects.false.engine.weights.matching import weights_digest
from projects.false.engine.weights.publish import publish
from projects.false.imagery.palettes import PALETTES
from projects.false.mapping.load_segmenter import load_segmenter
from projects.false.models import TimmBackbone
from tests.helpers.fine_tuned import save_fine_tuned

SCORES = {
    'scores': {'mIoU': 61.5, 'OA': None},
    'per_class': {'land': {'IoU': 70.25, 'F1': None, 'precision': 81, 'recall': 84}},
}
TABLE = {
    'baseline': 'simclr',
    'rows': [
        {'protocol': 'upernet', 'fraction': 0.01, 'runs': 15, 'method': 'false', 'mIoU': 49, 'difference': 1.23,
         'low': 0.57, 'high': 1.9},
        {'protocol': 'linear', 'fraction': 0.01, 'runs': 1, 'method': 'false', 'mIoU': 48, 'difference': None,
         'low': None, 'high': None},
    ],
}  # fmt: skip


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp('trained')
    (folder / 'scores.json').write_text(json.dumps(SCORES))
    (folder / 'table.json').write_text(json.dumps(TABLE))
    return save_fine_tuned(folder, iter=200)


@pytest.fixture(scope='module')
def published(trained, tmp_path_factory):
    """Trained where the data lie in a folder of the machine."""
    given, out = trained[0].parent, tmp_path_factory.mktemp('out') / 'mine'
    options = {'test_dataloader.dataset.data_root': str(given / 'data'), 'work_dir': str(given / 'work')}
    weights = read_checkpoint(trained[1])['state_dict']
    (given / 'scores.json').write_text(json.dumps({**SCORES, 'weights': weights_digest(weights)}))
    comparison = (given / 'table.json', 'false')
    return publish(*trained, out, options, scores=given / 'scores.json', comparison=comparison)


def test_it_holds_what_another_machine_needs_and_nothing_of_this_one(published, trained):
    names = {path.name for path in published.iterdir()}
    assert names == {'README.md', 'config.py', 'model.safetensors', 'preprocessing.json'}
    assert [path.name for path in published.parent.iterdir()] == ['mine']
    for path in published.iterdir():
        assert str(trained[0].parent).encode() not in path.read_bytes(), path
    check_plain(published / 'config.py')
    config = Config.fromfile(published / 'config.py')
    assert config.test_dataloader.dataset.data_root == 'data/data'
    assert config.model.backbone.init_cfg is None
    facts = json.loads((published / 'preprocessing.json').read_text())
    assert (facts['bands'], facts['window'], facts['recorded']) == (3, 64, None)
    assert facts['mean'] == list(config.model.data_preprocessor.mean)
    assert facts['classes'] == list(PALETTES['mbrsc'].classes)


def test_no_part_of_the_config_keeps_a_path_of_this_machine(trained, tmp_path):
    joined = [
        dict(type='LandCoverPatches', data_root='/home/ann/east', ann_file='/home/ann/lists/east.txt', palette='mbrsc'),
        dict(
            type='LandCoverPatches',
            data_root='C:\\Users\\ann\\west',
            ann_file='splits/train.txt',
            palette='/home/ann/p',
        ),
    ]
    options = {
        'train_dataloader.dataset': dict(_delete_=True, type='ConcatDataset', datasets=joined),
        'test_dataloader.dataset.data_prefix.img_path': '~ann/pictures',
        'custom_hooks': [dict(type='ProbeHook', data_root='/home/ann/probe', known='/home/ann/known.txt')],
        'visualizer.vis_backends': [dict(type='LocalVisBackend', save_dir='file:///home/ann/logs')],
    }
    folder = publish(*trained, tmp_path / 'mine', options)
    text = (folder / 'config.py').read_text()
    assert not re.search(r"['\"](/|~|[A-Z]:|file:)", text)
    assert 'ann/' not in text
    config = Config.fromfile(folder / 'config.py')
    east, west = config.train_dataloader.dataset.datasets
    assert (east.data_root, east.ann_file) == ('data/east', 'east.txt')
    assert (west.data_root, west.ann_file) == ('data/west', 'splits/train.txt')
    assert (east.palette, west.palette) == (None, None)
    assert east.metainfo == west.metainfo == config.test_dataloader.dataset.metainfo
    assert config.custom_hooks == [dict(type='ProbeHook', data_root='data/probe', known='known.txt')]
    assert load_segmenter(str(folder), device='cpu').palette.classes == PALETTES['mbrsc'].classes


def test_the_card_names_an_absolute_list_by_its_last_part(trained, tmp_path):
    options = {
        'train_dataloader.dataset.data_root': 'D:\\ann\\mine',
        'train_dataloader.dataset.ann_file': '/home/ann/few.txt',
    }
    card = (publish(*trained, tmp_path / 'mine', options) / 'README.md').read_text()
    assert '- Trained on: `mine` (list `few.txt`)' in card
    assert 'ann' not in card.partition('## Data')[2].partition('##')[0]


def test_the_card_tells_classes_scores_intervals_and_fields_to_fill(published):
    card = (published / 'README.md').read_text()
    assert card.startswith('---\n# license: to fill in')
    for line in (
        '# mine',
        '| 1 | land | #8429F6 |',
        '| mIoU | 61.50 |',
        '| OA | – |',
        '| land | 70.25 | – | 81.00 | 84.00 |',
        '| upernet, 0.01 of the labels | 15 | 49.00 | +1.23 [+0.57, +1.90] |',
        '| linear, 0.01 of the labels | 1 | 48.00 | – |',
        '- Weights: **to fill in**',
    ):
        assert f'\n{line}\n' in card
    assert 'fine-tuned with the recipe `mine`, 200 iterations. `config.py` has' in card


def test_it_maps_as_the_model_itself_also_from_a_snapshot(published, trained, tmp_path, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, 'HF_HUB_CACHE', str(tmp_path))
    monkeypatch.setattr(constants, 'HF_HUB_OFFLINE', True)
    repository = tmp_path / 'models--lab--mine'
    snapshot = repository / 'snapshots' / ('a' * 40)
    snapshot.mkdir(parents=True)
    (repository / 'refs').mkdir()
    (repository / 'refs' / 'main').write_text('a' * 40)
    for path in published.iterdir():
        (snapshot / path.name).symlink_to(path)
    pixels = np.random.default_rng(0).integers(0, 256, (1, 64, 64, 3), np.uint8)
    itself = load_segmenter(*map(str, trained), device='cpu')
    for given in (str(published), 'hf://lab/mine'):
        segmenter = load_segmenter(given, device='cpu')
        assert torch.equal(segmenter(pixels), itself(pixels))
        assert segmenter.palette.classes == itself.palette.classes
        assert segmenter.palette.colors == itself.palette.colors


def started(checkpoint):
    backbone = ResNet(depth=18, init_cfg=dict(type='PretrainedBackbone', checkpoint=str(checkpoint)))
    backbone.init_weights()
    return backbone


@pytest.mark.parametrize('checkpoint', ['itself', 'published'])
def test_a_backbone_starts_from_it(published, trained, checkpoint):
    backbone = started(trained[1] if checkpoint == 'itself' else published)
    state = torch.load(trained[1], weights_only=True)['state_dict']
    assert all(torch.equal(value, state[f'backbone.{name}']) for name, value in backbone.state_dict().items())


def test_a_network_of_timm(tmp_path):
    trained = save_fine_tuned(tmp_path, recipe='upernet_lite0_mbrsc')
    out = publish(*trained, tmp_path / 'mine')
    assert 'imagery: tf_efficientnet_lite0 of timm, fine-tuned with' in (out / 'README.md').read_text()
    pixels = np.random.default_rng(0).integers(0, 256, (1, 64, 64, 3), np.uint8)
    assert torch.equal(
        load_segmenter(str(out), device='cpu')(pixels), load_segmenter(*map(str, trained), device='cpu')(pixels)
    )
    backbone = TimmBackbone('tf_efficientnet_lite0', init_cfg=dict(type='PretrainedBackbone', checkpoint=str(out)))
    backbone.init_weights()
    given = torch.load(trained[1], weights_only=True)['state_dict']['backbone.timm_model.conv_stem.weight']
    assert torch.equal(backbone.timm_model.conv_stem.weight, given)


@pytest.mark.parametrize(
    'arguments', [{'bands': [4, 3, 2, 1]}, {'bands': ['a', 'b', 'c', 'd'], 'band_numbers': [4, 3, 2, 1]}]
)
def test_scaled_bands_travel_with_the_model(tmp_path, arguments):
    config, checkpoint = save_fine_tuned(tmp_path, bands=4)
    data = tmp_path / 'data'
    data.mkdir()
    ranges = [[0.0, 1000.0 + band] for band in range(4)]
    description = {
        'format': 'false-patches 1',
        'arguments': arguments,
        'bands': {'count': 4},
        'ranges': ranges,
        'patches': [],
    }
    (data / 'dataset.json').write_text(json.dumps(description))
    root = {'test_dataloader.dataset.data_root': str(data)}
    before = load_segmenter(str(config), str(checkpoint), root, device='cpu').recorded
    folder = publish(config, checkpoint, tmp_path / 'mine', root)
    (data / 'dataset.json').unlink()
    assert load_segmenter(str(folder), device='cpu').recorded == before
    assert before.bands == (4, 3, 2, 1)
    assert '| source values that become 0 and 255 | 0 to 1000, 0 to 1001,' in (folder / 'README.md').read_text()


def test_a_pretraining_is_published_by_its_backbone(tmp_path):
    weights = {f'backbone.{name}': value for name, value in ResNet(depth=18).state_dict().items()}
    torch.save({'state_dict': {**weights, 'neck.a': torch.zeros(1)}, 'meta': {'epoch': 50}}, tmp_path / 'epoch_50.pth')
    folder = publish('false_simclr_r18_synthetic', tmp_path / 'epoch_50.pth', tmp_path / 'backbone', licence='cc0-1.0')
    backbone = started(folder)
    assert torch.equal(backbone.conv1.weight, weights['backbone.conv1.weight'])
    card = (folder / 'README.md').read_text()
    assert card.startswith('---\nlicense: cc0-1.0\n')
    assert 'pretrained without labels by FALSE' in card
    assert 'false-rs map' not in card


def test_a_pretraining_is_published_by_its_backbone_file(tmp_path):
    weights = {f'backbone.{name}': value for name, value in ResNet(depth=18).state_dict().items()}
    meta = {'method': 'SimCLR', 'epoch': 50, 'config_name': 'mine.py'}
    export_backbone({'state_dict': weights}, tmp_path / 'backbone.pth', **meta)
    folder = publish('false_simclr_r18_synthetic', tmp_path / 'backbone.pth', tmp_path / 'out')
    assert torch.equal(started(folder).conv1.weight, weights['backbone.conv1.weight'])
    assert 'pretrained without labels by SimCLR' in (folder / 'README.md').read_text()
    stored = read_checkpoint(folder / 'model.safetensors')['meta']
    assert {key: stored[key] for key in (*meta, 'depth')} == {**meta, 'depth': 18}
    torch.save([1], tmp_path / 'list.pth')
    with pytest.raises(InputError, match='holds no weights'):
        publish('false_simclr_r18_synthetic', tmp_path / 'list.pth', tmp_path / 'none')


def test_what_cannot_be_published_leaves_no_folder(trained, tmp_path):
    out, given = tmp_path / 'out', trained[0].parent
    other = {**SCORES, 'checkpoint': 'other/iter_8.pth', 'weights': '0123456789abcdef'}
    (given / 'other.json').write_text(json.dumps(other))
    cases = [
        (
            dict(scores=given / 'other.json'),
            r'other\.json: is a test of other weights \(other/iter_8\.pth\) than those of',
        ),
        (dict(options={'model.decode_head.num_classes': 6}), 'not a checkpoint of this model'),
        (dict(scores=given / 'table.json'), r'table\.json: has no scores; give scores\.json'),
        (dict(scores=given / 'gone.json'), r'gone\.json: cannot be read'),
        (dict(comparison=(given / 'table.json', 'moco')), r"no method 'moco'; choose from false"),
        (dict(comparison=(given / 'scores.json', 'false')), 'no table of a benchmark'),
        (dict(options={'model.test_cfg.type': 'os.system'}), r"cannot be published \(the type 'os\.system'\)"),
    ]
    for arguments, text in cases:
        with pytest.raises(InputError, match=text):
            publish(*trained, out, **arguments)
        assert list(tmp_path.iterdir()) == []


def test_only_a_published_model_is_replaced(published, trained, tmp_path):
    (tmp_path / 'mine').mkdir()
    (tmp_path / 'mine' / 'letters.txt').write_text('')
    with pytest.raises(InputError, match='exists and is not empty'):
        publish(*trained, published)
    with pytest.raises(InputError, match=r'has no preprocessing\.json, so it is not replaced'):
        publish(*trained, tmp_path / 'mine', overwrite=True)


def test_cut_weights_and_a_spoilt_config_are_refused(published, tmp_path):
    folder = tmp_path / 'mine'
    folder.mkdir()
    for path in published.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    weights = folder / 'model.safetensors'
    weights.write_bytes(weights.read_bytes()[:-1000])
    with pytest.raises(InputError, match='is damaged or no safetensors file'):
        load_segmenter(str(folder), device='cpu')
    with (folder / 'config.py').open('a') as file:
        file.write("open('run', 'w')\n")
    with pytest.raises(InputError, match='nothing was run'):
        load_segmenter(str(folder), device='cpu')
