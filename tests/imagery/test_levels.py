import numpy as np

from projects.false.imagery.levels import count_levels, mean_and_std


def test_mean_and_std_are_those_of_the_valid_pixels():
    generator = np.random.default_rng(0)
    patches = generator.integers(0, 256, (3, 20, 30, 4), np.uint8) // [1, 2, 3, 200]
    patches = patches.astype(np.uint8)
    valid = generator.integers(0, 2, (3, 20, 30), np.uint8)
    mean, std = mean_and_std(sum(count_levels(*pair) for pair in zip(patches, valid, strict=True)))
    chosen = patches[valid > 0]
    np.testing.assert_allclose(mean, chosen.mean(axis=0), atol=1e-4)
    np.testing.assert_allclose(std, chosen.std(axis=0), atol=1e-4)


def test_a_constant_band_has_no_spread_and_nothing_is_zero():
    assert mean_and_std(count_levels(np.full((2, 2, 1), 7, np.uint8))) == ([7.0], [0.0])
    assert mean_and_std(np.zeros((1, 256), np.int64)) == ([0.0], [0.0])
