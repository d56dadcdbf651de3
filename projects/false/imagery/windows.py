"""The grid of windows that covers an image, for cutting patches and for mapping."""

from projects.false.common.errors import InputError


def grid(height: int, width: int, size: int, stride: int) -> list[tuple[int, int]]:
    """List the windows of one patch size that cover an image, row by row.

    The last row and the last column are shifted inwards so that they end at the border; no window occurs twice.
    A 6000 x 6000 tile in patches of 256 gives 24 x 24 windows.

    Args:
        height: Image height in pixels.
        width: Image width in pixels.
        size: Side of the square windows in pixels, at least 1.
        stride: Distance between neighbouring windows in pixels, 1 to ``size``: a larger one would leave gaps.

    Returns:
        ``(row, column)`` of every window's first pixel.

    Raises:
        InputError: An argument is out of range, or the image is smaller than a window.

    Example:
        >>> grid(5, 8, size=4, stride=4)
        [(0, 0), (0, 4), (1, 0), (1, 4)]
    """
    if size < 1:
        raise InputError(f'patch size is {size}; give at least 1')
    if not 1 <= stride <= size:
        raise InputError(f'stride is {stride}; give 1 to the patch size ({size}), so that every pixel is covered')
    if height < size or width < size:
        raise InputError(
            f'image of {height} x {width} pixels (height x width) is smaller than the patch size {size}; '
            f'give a patch size of at most {min(height, width)}, or leave the image out'
        )
    return [(row, column) for row in starts(height, size, stride) for column in starts(width, size, stride)]


def starts(length: int, size: int, stride: int) -> list[int]:
    """List the first pixels of the windows along one side; :func:`grid` checks the arguments."""
    last = length - size
    return [*range(0, last, stride), last]
