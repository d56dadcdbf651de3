import pytest

from projects.false.monitoring.embeddings import EmbeddingMeasures, collapse_signs


@pytest.mark.parametrize(
    ('std', 'rank', 'signs'),
    [(0.5, 9, 0), (0.05, 9, 1), (0.5, 1.5, 1), (0.05, 1.5, 2), (float('nan'), 9, 1), (0.1, 2, 0)],
)
def test_signs_of_collapse(std, rank, signs):
    found = collapse_signs(EmbeddingMeasures(std, 0, rank, 1, -1), least_std=0.1, least_rank=2)
    assert len(found) == signs
