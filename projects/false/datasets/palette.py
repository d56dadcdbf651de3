"""What a palette is: classes and the colours that masks use for them."""

from dataclasses import dataclass, replace

from projects.false.errors import InputError

MAX_CLASSES = 254  # 255 is the ignore index, 254 marks unknown colours while a mask is read

Color = tuple[int, int, int]


@dataclass(frozen=True)
class Palette:
    """Classes of a data set and the colours that its masks use for them.

    Args:
        name: Name for messages.
        classes: Class names; the position is the class index.
        colors: One RGB colour per class.
        ignore_colors: RGB colours that become 255 (ignored by loss and metrics).
        binarise: If given, every channel is set to 255 where it is at least this value and to 0 elsewhere before the
            lookup: the cure for masks that went through a lossy format. None takes colours as they are.
        index_masks: Masks hold class indices (0 .. C-1, 255 ignored) in one band; ``colors`` only serve for display.
    """

    name: str
    classes: tuple[str, ...]
    colors: tuple[Color, ...]
    ignore_colors: tuple[Color, ...] = ()
    binarise: int | None = None
    index_masks: bool = False

    def __post_init__(self):
        where = f'palette {self.name!r}'
        if not 1 <= len(self.classes) <= MAX_CLASSES:
            raise InputError(f'{where}: {len(self.classes)} classes; give 1 to {MAX_CLASSES}')
        if len(self.colors) != len(self.classes):
            raise InputError(f'{where}: {len(self.classes)} classes but {len(self.colors)} colors; give one per class')
        if len(set(self.classes)) != len(self.classes):
            raise InputError(f'{where}: a class name occurs twice in {list(self.classes)}; make them different')
        every = self.colors + self.ignore_colors
        twice = sorted({color for color in every if every.count(color) > 1})
        if twice:
            raise InputError(f'{where}: color {to_hex(twice[0])} occurs twice; give every class its own')
        if self.binarise is not None:
            if not 1 <= self.binarise <= 255:
                raise InputError(f'{where}: binarise is {self.binarise}; give 1 to 255, or leave it out')
            inner = [color for color in every if not set(color) <= {0, 255}]
            if inner:
                raise InputError(
                    f'{where}: color {to_hex(inner[0])} can never occur after binarising; '
                    'use channels of 0 and 255 only, or leave binarise out'
                )

    def with_classes(self, classes: tuple[str, ...]) -> 'Palette':
        """The same palette with other class names, in the same order."""
        return replace(self, classes=tuple(classes))


def to_hex(color: Color) -> str:
    """``(255, 0, 16)`` -> ``'#FF0010'``."""
    return '#{:02X}{:02X}{:02X}'.format(*color)
