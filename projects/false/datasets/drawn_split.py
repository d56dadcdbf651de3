"""Train and test images of a data set for which nobody published a list."""

from collections.abc import Sequence
from pathlib import Path

from projects.false.converters.image_splits import assign_splits, draw_test_images
from projects.false.errors import InputError


def split_images(
    stems: Sequence[str],
    val_list: str | Path | None,
    test_list: str | Path | None,
    test_images: int,
    images: int,
    seed: int,
) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Give every image a split, by the user's list or by a draw that says that it is one.

    Args:
        stems: All images.
        val_list: Text file with images to validate on.
        test_list: Text file with images to test on; None draws them.
        test_images: How many the paper tests on.
        images: Of how many.
        seed: Seed of the draw.

    Returns:
        Stem -> split, and the lists to write beside the data: name -> lines.

    Raises:
        InputError: As of :func:`assign_splits` and :func:`draw_test_images`.
    """
    stems = sorted(stems)
    split_of = assign_splits(stems, val_list, test_list)
    if test_list:
        return split_of, {}
    drawn = draw_test_images(stems, test_images, images, seed)
    both = [stem for stem in drawn if split_of[stem] == 'val']
    if both:
        raise InputError(
            f'{val_list}: image {both[0]!r} is drawn for testing with seed {seed}; take it off, or give --test-list'
        )
    head = (
        f'# {len(drawn)} of {len(stems)} images to test on, drawn by this project with seed {seed}:',
        '# the paper tests on as many, but nobody published which. To repeat: --test-list THIS_FILE',
    )
    return {**split_of, **dict.fromkeys(drawn, 'test')}, {
        f'test_images_drawn_here_seed{seed}.txt': [*head, *drawn],
    }
