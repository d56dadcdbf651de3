"""python -m benchmarks.exchanged: the bytes of small models, counted by hand."""

from benchmarks.exchanged import Model, exchanged, main, model_of
from tests.helpers.tools import REPOSITORY


def test_bytes_by_hand():
    simclr = exchanged(Model(1000, [3, 5], 16, moco=False), images=2, processes=4, side=8)
    assert simclr == {
        'gradients': 1.5 * 4000,
        'normalisation': 3 * (7 + 11) * 4 + 1.5 * (6 + 10) * 4,
        'projections': 3 * 256 + 1.5 * 4 * 256,
    }
    moco = exchanged(Model(1000, [], 16, moco=True), images=2, processes=4, side=8)
    assert moco == {'gradients': 6000, 'normalisation': 0, 'projections': 3 * 128, 'images': 3 * 2 * 192 * 4}


def test_one_process_sends_nothing():
    assert sum(exchanged(Model(1000, [3], 16, moco=True), 2, 1, 8).values()) == 0


def test_recipes_are_counted(capsys):
    config = REPOSITORY / 'configs' / 'false_mocov2_r18_synthetic.py'
    model = model_of(config)
    assert (model.moco, model.synchronised, model.dim) == (True, [], 128)
    assert 11_000_000 < model.parameters < 12_000_000
    main(['--config', str(config), '--processes', '2', '--global-batch', '128', '--side', '64'])
    assert '2 x 64' in capsys.readouterr().out
