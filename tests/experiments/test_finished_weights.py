import torch

from projects.false.experiments.benchmark.runner import keep_weights_alone


def test_weights_stay_and_the_rest_goes(tmp_path):
    state = {'a.weight': torch.arange(6.0).reshape(2, 3)}
    whole = {'meta': {'iter': 3}, 'state_dict': state, 'optimizer': {'x': torch.zeros(1000)}, 'message_hub': {}}
    torch.save(whole, tmp_path / 'iter_3.pth')
    torch.save({'state_dict': state, 'meta': {'method': 'FALSE'}}, tmp_path / 'backbone.pth')
    before = (tmp_path / 'backbone.pth').read_bytes()
    for _ in range(2):
        keep_weights_alone(tmp_path)
        kept = torch.load(tmp_path / 'iter_3.pth', weights_only=True)
        assert kept.keys() == {'meta', 'state_dict'}
        assert kept['meta'] == {'iter': 3}
        assert torch.equal(kept['state_dict']['a.weight'], state['a.weight'])
    assert (tmp_path / 'backbone.pth').read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ['backbone.pth', 'iter_3.pth']
