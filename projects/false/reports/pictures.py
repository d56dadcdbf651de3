"""Make pictures of images and masks, embed them in a page, or lay them out on a contact sheet."""

import base64
from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from projects.false.imagery.mask_colors import index_to_colors
from projects.false.imagery.palettes import IGNORE_INDEX, Palette

SIDE = 256  # longest side of a picture in pixels
_IGNORED_GREYS = (150, 110)  # in stripes, since a plain grey may be the colour of a class
_GAP, _LINE = 10, 22  # pixels between the pictures of a sheet, and per line of text
_INK, _MUTED, _RULE = (28, 31, 35), (96, 103, 111), (180, 185, 190)


def photo(image: np.ndarray) -> np.ndarray:
    """Shrink an image to at most :data:`SIDE` pixels; a smaller one stays as it is.

    Shape:
        - image: (H, W, 3), uint8; result: (h, w, 3), uint8.
    """
    shrink = SIDE / max(image.shape[:2])
    if shrink >= 1:
        return image
    return cv2.resize(image, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)


def enlarged(image: np.ndarray) -> np.ndarray:
    """Bring an image to at most :data:`SIDE` pixels; a small one grows by a whole factor, so that pixels stay visible.

    Shape:
        - image: (H, W, 3), uint8; result: (h, w, 3), uint8.
    """
    image = photo(image)
    factor = max(1, SIDE // max(image.shape[:2]))
    return cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_NEAREST_EXACT)


def three_bands(image: np.ndarray) -> np.ndarray:
    """Reduce an image of any bands, (H, W, bands), to (H, W, 3): its first three bands, or its first one in grey."""
    return np.ascontiguousarray(image[..., :3] if image.shape[2] >= 3 else image[..., :1].repeat(3, axis=2))


def mask_picture(index: np.ndarray, palette: Palette) -> np.ndarray:
    """Draw a mask in the colours of its classes, with grey stripes for ignored pixels.

    The mask is scaled to about :data:`SIDE` pixels by repeating or skipping pixels.

    Shape:
        - index: (H, W), uint8, classes from 0, 255 ignored; result: (h, w, 3), uint8, BGR.
    """
    longest = max(index.shape)
    factor = max(1, SIDE // longest) if longest <= SIDE else SIDE / longest
    index = cv2.resize(index, None, fx=factor, fy=factor, interpolation=cv2.INTER_NEAREST_EXACT)
    colors = index_to_colors(index, palette)
    rows, columns = np.indices(index.shape)
    stripes = np.where((rows + columns) % 12 < 6, *map(np.uint8, _IGNORED_GREYS))
    return np.where((index == IGNORE_INDEX)[..., None], stripes[..., None], colors[..., ::-1])


def embedded(picture: np.ndarray, alt: str) -> str:
    """Return an ``<img>`` element that contains the picture as a PNG.

    Args:
        picture: In BGR order.
        alt: Text in place of the picture, already escaped for HTML.

    Shape:
        - picture: (H, W, 3), uint8
    """
    png = cv2.imencode('.png', np.ascontiguousarray(picture), [cv2.IMWRITE_PNG_COMPRESSION, 9])[1]
    data = base64.b64encode(png.tobytes()).decode('ascii')
    height, width = picture.shape[:2]
    return f'<img width="{width}" height="{height}" alt="{alt}" src="data:image/png;base64,{data}">'


def contact_sheet(
    title: str,
    headings: Sequence[str],
    rows: Sequence[tuple[str, Sequence[np.ndarray]]],
    palette: Palette | None = None,
) -> np.ndarray:
    """Lay out pictures in rows and columns.

    Args:
        title: Text at the top.
        headings: One per column.
        rows: Name and pictures per row, one picture per column, each at most :data:`SIDE` pixels wide and high.
        palette: Classes for a legend; None leaves it out.

    Shape:
        - pictures: (h, w, 3), uint8, BGR; result: (H, W, 3), uint8, BGR.
    """
    font, bold = font_of(13), font_of(13, bold=True)
    width = _GAP + len(headings) * (SIDE + _GAP)
    legend, lines = _legend(palette, font, width)
    top = _GAP + _LINE * (2 + lines)
    heights = [max(picture.shape[0] for picture in pictures) + _LINE + _GAP for _, pictures in rows]
    sheet = Image.new('RGB', (width, top + sum(heights)), 'white')
    draw = ImageDraw.Draw(sheet)
    draw.text((_GAP, _GAP // 2), title, _INK, bold)
    for left, line, name, color in legend:
        y = _GAP // 2 + _LINE * (1 + line)
        draw.rectangle((left, y + 3, left + 11, y + 14), color or (150,) * 3, _MUTED)
        if color is None:
            draw.polygon(((left + 1, y + 13), (left + 10, y + 13), (left + 10, y + 4)), (110,) * 3)
        draw.text((left + 17, y), name, _INK, font)
    for column, heading in enumerate(headings):
        draw.text((_GAP + column * (SIDE + _GAP), top - _LINE), heading, _MUTED, font)
    for (name, pictures), height in zip(rows, heights, strict=True):
        for column, picture in enumerate(pictures):
            left, (high, wide) = _GAP + column * (SIDE + _GAP), picture.shape[:2]
            draw.rectangle((left - 1, top - 1, left + wide, top + high), outline=_RULE)  # white may be a class
            sheet.paste(Image.fromarray(picture[..., ::-1].copy()), (left, top))
        draw.text((_GAP, top + height - _LINE - _GAP + 2), name, _MUTED, font)
        top += height
    return np.asarray(sheet)[..., ::-1].copy()


def _legend(palette: Palette | None, font: ImageFont.FreeTypeFont, width: int) -> tuple[list, int]:
    """Return left edge, line, name and colour per class, with None for ignored pixels, and the number of lines."""
    if palette is None:
        return [], 0
    items, left, line = [], _GAP, 0
    for name, color in (*zip(palette.classes, palette.colors, strict=True), ('ignored', None)):
        wide = 17 + round(font.getlength(name)) + 16
        if left + wide > width and left > _GAP:
            left, line = _GAP, line + 1
        items.append((left, line, name, color))
        left += wide
    return items, line + 1


def font_of(size: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    """Load the font of matplotlib: class names may be in any script, and Pillow's own font covers few."""
    from matplotlib import get_data_path

    return ImageFont.truetype(f'{get_data_path()}/fonts/ttf/DejaVuSans{"-Bold" if bold else ""}.ttf', size)
