"""Styles for QGIS: a file ``NAME.qml`` beside a raster or a layer gives it the colours and names of the classes."""

from xml.etree import ElementTree

from projects.false.imagery.palettes import Palette, to_hex

_VERSION = '3.22.0'  # the oldest QGIS that the styles were opened with
_DOCTYPE = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
_OUTLINE = {
    'outline_color': '35,35,35,255',
    'outline_style': 'solid',
    'outline_width': '0.1',
    'outline_width_unit': 'MM',
}


def raster_style(palette: Palette) -> str:
    """Return the style of a class map: a paletted renderer; values without a class are not drawn."""
    root = ElementTree.Element('qgis', version=_VERSION, styleCategories='Symbology')
    pipe = ElementTree.SubElement(root, 'pipe')
    settings = {'type': 'paletted', 'band': '1', 'opacity': '1', 'alphaBand': '-1', 'nodataColor': ''}
    colors = ElementTree.SubElement(ElementTree.SubElement(pipe, 'rasterrenderer', settings), 'colorPalette')
    for value, (name, color) in enumerate(zip(palette.classes, palette.colors, strict=True)):
        entry = {'value': str(value), 'label': name, 'color': to_hex(color).lower(), 'alpha': '255'}
        ElementTree.SubElement(colors, 'paletteEntry', entry)
    return _text(root)


def polygon_style(palette: Palette, field: str = 'class') -> str:
    """Return the style of a layer of polygons: one fill per value of a field, with a thin outline."""
    root = ElementTree.Element('qgis', version=_VERSION, styleCategories='Symbology')
    settings = {
        'type': 'categorizedSymbol',
        'attr': field,
        'symbollevels': '0',
        'enableorderby': '0',
        'forceraster': '0',
    }
    renderer = ElementTree.SubElement(root, 'renderer-v2', settings)
    categories = ElementTree.SubElement(renderer, 'categories')
    symbols = ElementTree.SubElement(renderer, 'symbols')
    for number, (name, color) in enumerate(zip(palette.classes, palette.colors, strict=True)):
        entry = {'render': 'true', 'value': name, 'label': name, 'symbol': str(number), 'type': 'string'}
        ElementTree.SubElement(categories, 'category', entry)
        kind = {'type': 'fill', 'name': str(number), 'alpha': '1', 'clip_to_extent': '1', 'force_rhr': '0'}
        symbol = ElementTree.SubElement(symbols, 'symbol', kind)
        layer = ElementTree.SubElement(
            symbol, 'layer', {'class': 'SimpleFill', 'enabled': '1', 'locked': '0', 'pass': '0'}
        )
        options = ElementTree.SubElement(layer, 'Option', type='Map')
        fill = {'color': ','.join(map(str, (*color, 255))), 'style': 'solid', **_OUTLINE}
        for key, value in fill.items():
            ElementTree.SubElement(options, 'Option', name=key, type='QString', value=value)
    return _text(root)


def _text(root: ElementTree.Element) -> str:
    ElementTree.indent(root, ' ')
    return _DOCTYPE + ElementTree.tostring(root, encoding='unicode') + '\n'
