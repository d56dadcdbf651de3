"""Styles, as XML that names every class once with its colour."""

from xml.etree import ElementTree

from projects.false.vectors.styles import polygon_style, raster_style
from tests.vectors.test_polygon_file import PALETTE


def test_raster_style():
    entries = ElementTree.fromstring(raster_style(PALETTE)).findall('pipe/rasterrenderer/colorPalette/paletteEntry')
    assert [(entry.get('value'), entry.get('label'), entry.get('color')) for entry in entries] == [
        ('0', 'water', '#0000ff'),
        ('1', 'a "b" & <c>', '#ff0000'),
        ('2', 'tree', '#00ff00'),
        ('3', 'Straße', '#090909'),
    ]


def test_polygon_style():
    root = ElementTree.fromstring(polygon_style(PALETTE))
    renderer = root.find('renderer-v2')
    assert (renderer.get('type'), renderer.get('attr')) == ('categorizedSymbol', 'class')
    categories = {entry.get('value'): entry.get('symbol') for entry in renderer.findall('categories/category')}
    colors = {
        symbol.get('name'): symbol.find("layer/Option/Option[@name='color']").get('value')
        for symbol in renderer.findall('symbols/symbol')
    }
    assert {name: colors[symbol] for name, symbol in categories.items()} == {
        name: ','.join(map(str, (*color, 255))) for name, color in zip(PALETTE.classes, PALETTE.colors, strict=True)
    }
