"""NT-Xent and InfoNCE against cross entropy and against their equation."""

import pytest
import torch
import torch.nn.functional as F

from projects.false import InputError, NTXentLoss
from tests.helpers import slow_losses as slow
from tests.helpers.loss_cases import FORMS, queue_of, value_and_anchors, views


def test_nt_xent_is_cross_entropy():
    first, second = views(6)
    rows = F.normalize(torch.cat([first, second]))
    logits = (rows @ rows.T / 0.5).fill_diagonal_(-torch.inf)
    torch.testing.assert_close(NTXentLoss(0.5)(first, second), F.cross_entropy(logits, (torch.arange(12) + 6) % 12))


def test_with_a_queue_it_is_info_nce():
    query, key = views(6)
    unit, positive, queue = F.normalize(query), F.normalize(key), F.normalize(queue_of(11))
    logits = torch.cat([(unit * positive).sum(1, keepdim=True), unit @ queue.T], dim=1) / 0.2
    expected = F.cross_entropy(logits, torch.zeros(6, dtype=torch.long))
    torch.testing.assert_close(NTXentLoss(0.2)(query, key, queue=queue_of(11)), expected)


@pytest.mark.parametrize('form', FORMS)
def test_nt_xent(form):
    value, anchors = value_and_anchors(NTXentLoss(0.3), form)
    assert value == pytest.approx(slow.false_loss(anchors, [set()] * len(anchors), 0.3, 0), abs=1e-9)


def test_arguments_out_of_range():
    with pytest.raises(InputError, match=r'chunk_size of NTXentLoss .* got 2.5'):
        NTXentLoss(chunk_size=2.5)
