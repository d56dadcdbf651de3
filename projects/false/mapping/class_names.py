"""Class names beside a map, as GDAL keeps them for a TIFF: QGIS shows them in its legend."""

from xml.etree import ElementTree

from projects.false.datasets.palette import Palette

_COLUMNS = (('Value', 0, 5), ('Class', 2, 2), ('Red', 0, 6), ('Green', 0, 7), ('Blue', 0, 8))  # name, type, usage


def class_names_xml(palette: Palette) -> str:
    """Content of ``MAP.tif.aux.xml``: category names, and an attribute table with names and colours.

    Type and usage of its columns are numbers of GDAL's GDALRATFieldType and GDALRATFieldUsage.
    """
    root = ElementTree.Element('PAMDataset')
    band = ElementTree.SubElement(root, 'PAMRasterBand', band='1')
    names = ElementTree.SubElement(band, 'CategoryNames')
    for name in palette.classes:
        ElementTree.SubElement(names, 'Category').text = name
    table = ElementTree.SubElement(band, 'GDALRasterAttributeTable', tableType='thematic')
    for index, (name, kind, usage) in enumerate(_COLUMNS):
        column = ElementTree.SubElement(table, 'FieldDefn', index=str(index))
        for key, value in (('Name', name), ('Type', kind), ('Usage', usage)):
            ElementTree.SubElement(column, key).text = str(value)
    for index, (name, color) in enumerate(zip(palette.classes, palette.colors, strict=True)):
        row = ElementTree.SubElement(table, 'Row', index=str(index))
        for value in (index, name, *color):
            ElementTree.SubElement(row, 'F').text = str(value)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding='unicode') + '\n'
