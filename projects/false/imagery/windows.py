"""The grid of windows that covers an image, for cutting patches and for mapping."""

from projects.false.common.errors import InputError


def grid(height: int, width: int, size: int, stride: int) -> list[tuple[int, int]]:
    """List the square windows that cover an image, row by row.

    The last row and the last column are shifted inwards to end at the border, and no window occurs twice. A tile of
    6000 x 6000 pixels gives 24 x 24 windows of 256 x 256 pixels.

    Args:
        height: Image height in pixels.
        width: Image width in pixels.
        size: Side of the windows in pixels, at least 1.
        stride: Distance between neighbouring windows in pixels, from 1 to ``size``; a larger one would leave gaps.

    Returns:
        ``(row, column)`` of the first pixel of every window.

    Raises:
        InputError: An argument is out of range, or the image is smaller than a window.

    Example:
        >>> grid(5, 8, size=4, stride=4)
        [(0, 0), (0, 4), (1, 0), (1, 4)]
    """
    if size < 1:
        raise InputError(f'patch size is {size}; give at least 1')
    if not 1 <= stride <= size:
        raise InputError(f'stride is {stride}; give a stride from 1 to {size}, the patch size, to cover every pixel')
    if height < size or width < size:
        raise InputError(
            f'image of {height} x {width} pixels (height x width) is smaller than the patch size {size}; '
            f'give a patch size of at most {min(height, width)}, or leave the image out'
        )
    return [(row, column) for row in starts(height, size, stride) for column in starts(width, size, stride)]


def starts(length: int, size: int, stride: int) -> list[int]:
    """List where the windows begin along one side of an image; :func:`grid` checks the arguments.

    Args:
        length: Length of this side in pixels, at least ``size``.
        size, stride: As for :func:`grid`.

    Example:
        >>> starts(10, size=4, stride=4)
        [0, 4, 6]
    """
    last = length - size
    return [*range(0, last, stride), last]
