"""Draw docs/images/vectors.png: python docs/draw_vectors.py WORK.

A scene that the project draws, its labels traced as polygons with and without --simplify, as QGIS shows them with the
styles beside the files. Needs Debian's python3-qgis and qgis-providers.
"""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import rasterio
from PIL import Image, ImageDraw

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from projects.false.converters.scenes.scene import draw_scene
from projects.false.converters.synthetic import write_tile
from projects.false.imagery.palettes import PALETTES
from projects.false.reports.pictures import font_of
from projects.false.vectors.polygon_file import PolygonFile

SIDE, SHOWN, GAP, LINE = 640, 300, 10, 26  # pixels
PANELS = {
    'image': ('scene.tif', None),
    'polygons, borders of pixels': (None, 'plain.gpkg'),
    '--min-area 5 --simplify 1': (None, 'simple.gpkg'),
    'over the image': ('scene.tif', 'simple.gpkg'),
}

QGIS = """
import os, sys
from qgis.PyQt.QtCore import QSize
from qgis.core import *
application = QgsApplication([], False)
application.initQgis()
raster, vector, out, side, left, bottom, right, top, opacity = sys.argv[1:]
layers = [QgsVectorLayer(vector, 'polygons', 'ogr')] if vector else []
if layers:
    layers[0].setOpacity(float(opacity))
layers += [QgsRasterLayer(raster, 'image')] if raster else []
assert all(layer.isValid() for layer in layers)
settings = QgsMapSettings()
settings.setLayers(layers)
settings.setDestinationCrs(layers[0].crs())
settings.setOutputSize(QSize(int(side), int(side)))
settings.setExtent(QgsRectangle(*map(float, (left, bottom, right, top))))
job = QgsMapRendererSequentialJob(settings)
job.start()
job.waitForFinished()
job.renderedImage().save(out)
os._exit(0)
"""


def main(work: str) -> None:
    """Make the files in WORK, let QGIS show them, and put the pictures side by side."""
    folder, palette = Path(work), PALETTES['synthetic']
    folder.mkdir(parents=True, exist_ok=True)
    picture, labels = draw_scene(SIDE, 3, 5)
    write_tile(folder / 'scene.tif', picture, 0, 0)
    with rasterio.open(folder / 'scene.tif') as raster:
        crs, transform = raster.crs, raster.transform
    for name, options in (('plain', {}), ('simple', {'min_area': 5, 'simplify': 1})):
        file = PolygonFile(folder / f'{name}.gpkg', SIDE, SIDE, palette, crs, transform, **options)
        file.add(labels, np.full_like(labels, 100))
        file.write(lambda row, rows: labels[row : row + rows])
        print(f'{name}: {file.count} polygons')
    left, top = transform @ (60, 60)
    right, bottom = transform @ (60 + SHOWN // 2, 60 + SHOWN // 2)
    sheet = Image.new('RGB', (GAP + len(PANELS) * (SHOWN + GAP), SHOWN + LINE + GAP), 'white')
    environment = {key: value for key, value in os.environ.items() if not key.startswith('PYTHON')}
    for number, (name, (image, vector)) in enumerate(PANELS.items()):
        files = [str(folder / file) if file else '' for file in (image, vector)]
        place = map(str, (SHOWN, left, bottom, right, top, 0.5 if image else 1))
        command = ['/usr/bin/python3', '-c', QGIS, *files, str(folder / 'shown.png'), *place]
        subprocess.run(command, check=True, env={**environment, 'QT_QPA_PLATFORM': 'offscreen'})
        column = GAP + number * (SHOWN + GAP)
        ImageDraw.Draw(sheet).text((column, 5), name, (28, 31, 35), font_of(13))
        sheet.paste(Image.open(folder / 'shown.png').convert('RGB'), (column, LINE))
    out = Path(__file__).parent / 'images' / 'vectors.png'
    sheet.quantize(128, method=Image.Quantize.MEDIANCUT).save(out, optimize=True)
    print(f'wrote {out}: {len(np.unique(labels))} classes')


if __name__ == '__main__':
    main(*sys.argv[1:])
