"""Specs, and what is said of wrong ones."""

from pathlib import Path

import pytest

from projects.false import InputError
from projects.false.experiments.benchmark.spec import Method, Recipe, choose_methods, choose_protocols, read_spec
from tests.helpers.tiny_benchmark import write_spec
from tests.helpers.tools import REPOSITORY

SHIPPED = sorted((REPOSITORY / 'configs' / 'benchmarks').glob('*.py'))


@pytest.mark.parametrize('path', SHIPPED, ids=lambda path: path.stem)
def test_shipped_specs(path):
    spec = read_spec(str(path))
    assert spec.baseline in ('simclr', 'random')
    assert spec.methods['random'] == Method()
    for recipe in (*(method.recipe for method in spec.methods.values()), *spec.protocols.values()):
        assert recipe is None or Path(recipe.config).is_file()
    text = path.read_text()
    assert f'python tools/run_benchmark.py configs/benchmarks/{path.name}' in text
    assert 'Hardware' in text


def test_the_study_has_its_tiers():
    spec = read_spec(str(REPOSITORY / 'configs' / 'benchmarks' / 'mbrsc.py'))
    assert (len(spec.seeds), len(spec.draws), spec.part) == (3, 5, 'val')
    assert sorted(sum(spec.tiers.values(), ())) == sorted(spec.methods)
    first = ('random', 'simclr', 'mocov2', 'released', 'anchor_nearest', 'topk', 'oracle')
    assert choose_methods(spec, ['A']) == first
    assert choose_methods(spec, []) == tuple(spec.methods)
    assert choose_methods(spec, ['hard', 'random']) == ('random', 'simclr', 'hard')  # with the baseline
    with pytest.raises(InputError, match='--methods D: no method and no tier of mbrsc; choose from random, simclr'):
        choose_methods(spec, ['D'])
    assert list(choose_protocols(spec, ['upernet']).protocols) == ['upernet']
    assert choose_protocols(spec, []) == spec
    with pytest.raises(InputError, match='--protocols uper: no protocol of mbrsc; choose from '):
        choose_protocols(spec, ['uper'])


def test_values_and_places(tmp_path):
    weights = tmp_path / 'imagenet.pth'
    weights.write_bytes(b'')
    changes = (
        f"dict(methods=dict(random=None, imagenet={str(weights)!r}, net='torchvision://resnet18'), fractions=0.1, "
        "data=dict(root='{work}/data', prepare=['make.py {work}/a \"two words\" {data}']), title='A title')"
    )
    path = write_spec(tmp_path / 'mine.py', tmp_path / 'data', changes)
    spec = read_spec(str(path), {'seeds': [4, 5]})
    assert spec.methods == {
        'random': Method(),
        'imagenet': Method(weights=str(weights)),
        'net': Method(weights='torchvision://resnet18'),
    }
    assert (spec.name, spec.title, spec.seeds, spec.fractions) == ('mine', 'A title', (4, 5), (0.1,))
    assert isinstance(spec.protocols['upernet'], Recipe)
    assert spec.protocols['upernet'].options['model.data_preprocessor.size'] == (64, 64)
    located = spec.with_paths(Path('in a,{data}folder'))
    assert located.data_root == 'in a,{data}folder/data'
    assert located.prepare[0] == ('make.py', 'in a,{data}folder/a', 'two words', 'in a,{data}folder/data')


def test_methods_that_share_a_pretraining_and_differ_in_fine_tuning(tmp_path):
    changes = """dict(methods=dict(
        random=None,
        simclr=dict(config='configs/simclr_r18_synthetic.py', options=pretraining, fine_tuning={'a.b': 1}),
        typical=dict(like='simclr', select='typical'),
        net=dict(weights='package://some/file.pth', fine_tuning={'a.b': 2}),
        empty=dict(fine_tuning={'a.b': 3}),
    ))"""
    spec = read_spec(str(write_spec(tmp_path / 'mine.py', tmp_path, changes)))
    assert spec.methods['net'] == Method(weights='package://some/file.pth', fine_tuning={'a.b': 2})
    assert spec.methods['empty'] == Method(fine_tuning={'a.b': 3})
    assert spec.methods['simclr'].recipe.config.endswith('simclr_r18_synthetic.py')
    owners = {name: spec.pretrained_as(name) for name in spec.methods}
    assert owners == {'random': None, 'simclr': 'simclr', 'typical': 'simclr', 'net': None, 'empty': None}


@pytest.mark.parametrize(
    ('changes', 'text'),
    [
        ("dict(baseline='false')", "baseline 'false' is not a method; choose from random, simclr"),
        ("dict(baseline=None)", 'baseline None is not a method'),
        ("dict(method=dict(a=None))", "unknown key 'method'; a benchmark has"),
        ("dict(methods=dict())", 'methods is {}'),
        ("dict(methods=dict(random=None, a=dict(config='configs/none.py')))", r'methods\.a: \S+: no such config'),
        ("dict(methods=dict(random=None, a=dict(configs='x')))", 'methods.a is .*give dict\\(config=FILE'),
        (
            "dict(methods=dict(random=None, a=dict(config='configs/simclr_r18_mbrsc.py', option={})))",
            "unknown key 'option' in methods.a; it has config and options",
        ),
        (
            "dict(methods=dict(random=None, a=dict(config='configs/simclr_r18_mbrsc.py', options=[1])))",
            r'methods.a.options is \[1\]',
        ),
        (
            "dict(methods=dict(random=None, a=dict(weights='b://c', like='d')))",
            'methods.a has weights and like; give one of them',
        ),
        ("dict(methods=dict(random=None, a=dict(weights='gone.pth')))", 'methods.a: no such file of weights: gone.pth'),
        ("dict(methods=dict(random=None, a=dict(fine_tuning=[1])))", r'methods\.a\.fine_tuning is \[1\]'),
        ("dict(methods=dict(random=None, a=dict(like='b')))", "a.like is 'b', which is no method that pretrains"),
        ("dict(methods=dict(random=None, a=dict(like=['random'])))", r"like is \['random'\], which is no method that"),
        ("dict(methods=dict(random=None, a=dict(like='random')))", "like is 'random', which is no method that"),
        ("dict(methods=dict(random=None, a=dict(select='best')))", "a.select is 'best'; choose typical or coverage"),
        ("dict(methods=dict(random=None, a=dict(select='typical')))", 'its weights are random; give it weights'),
        ("dict(methods=dict(random=None, a=3))", 'methods.a is 3; give dict'),
        ("dict(methods=dict(random=None, a='gone.pth'))", 'methods.a: no such file of weights: gone.pth'),
        ("dict(methods={'random': None, 'a/b': None})", "the name 'a/b'"),
        ("dict(methods={'random': None, '..': None})", "the name '..'"),
        ("dict(protocols=None)", 'protocols is None'),
        ("dict(seeds=[])", r'seeds holds \[\]; give a list of numbers from 0 to 999999'),
        ("dict(seeds=[1, 1])", 'seeds names a value twice'),
        ("dict(seeds=['one'])", "seeds holds 'one'"),
        ("dict(seeds=[True])", 'seeds holds True'),
        ("dict(draws=[1000])", 'draws holds 1000; give a list of numbers from 0 to 999'),
        ("dict(fractions=[0.1, 0])", 'fractions holds 0; give a list of numbers above 0 to 1'),
        ("dict(fractions=[1.5])", 'fractions holds 1.5'),
        ("dict(budget=dict(steps=3))", "unknown key 'steps' in budget; it has epochs, iterations"),
        ("dict(budget=dict(epochs=0))", 'budget.epochs is 0; give a whole number of at least 1'),
        ("dict(data='here')", "data is 'here'"),
        ("dict(data=dict())", 'data.root is None'),
        ("dict(data=dict(root='x', prepare='make'))", "data.prepare is 'make'"),
        ("dict(part='train')", "part is 'train'; choose val or test"),
        ('dict(tiers=dict(A=3))', 'tiers.A is 3; give a list of names of methods'),
        ("dict(tiers=dict(A='random'))", "tiers.A is 'random'; give a list of names of methods"),
        ("dict(tiers=dict(A=['none']))", "tiers.A names 'none', which is not a method"),
        ("dict(tiers=dict(random=['random']))", 'tiers.random has the name of a method'),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_one_line(tmp_path, changes, text):
    path = write_spec(tmp_path / 'wrong.py', tmp_path, changes)
    with pytest.raises(InputError, match=text) as caught:
        read_spec(str(path))
    assert str(caught.value).startswith(f'{path}: ')
    assert '\n' not in str(caught.value)


def test_no_spec(tmp_path):
    with pytest.raises(InputError, match=r'none\.py: no such config'):
        read_spec(str(tmp_path / 'none.py'))
    with pytest.raises(InputError, match="unknown key 'auto_scale_lr'"):
        read_spec(str(REPOSITORY / 'configs' / 'upernet_r18_mbrsc.py'))
