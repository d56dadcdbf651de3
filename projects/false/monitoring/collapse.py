"""When embeddings count as collapsed."""

from .embeddings import EmbeddingMeasures


def collapse_signs(measures: EmbeddingMeasures, least_std: float, least_rank: float) -> list[str]:
    """Say what is wrong with embeddings, a phrase each; empty if nothing is.

    Args:
        measures: Of a batch.
        least_std: Least mean standard deviation, a share of that of embeddings spread evenly over the sphere.
        least_rank: Least effective rank.
    """
    signs = []
    if not measures.std >= least_std:  # NaN is a sign, too
        signs.append(f'standard deviation {measures.std:.3g} of what an even spread has, below {least_std:g}')
    if not measures.rank >= least_rank:
        signs.append(f'effective rank {measures.rank:.3g}, below {least_rank:g}')
    return signs
