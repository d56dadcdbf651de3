"""Draw docs/images/map.png and map_seams.png: python docs/draw_maps.py SCENE.tif MAPS MAPS_WITHOUT_OVERLAP.

The commands that make the three are in docs/maps.md. MAPS needs --preview and --confidence.
"""

import sys
from pathlib import Path

import numpy as np
import rasterio
from PIL import Image, ImageDraw

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from projects.false.reports.pictures import font_of

FOLDER = Path(__file__).parent / 'images'
SIDE, GAP, LINE = 256, 10, 26  # pixels


def save(picture: Image.Image, name: str) -> None:
    """Write a PNG of few colours, to keep the repository small."""
    picture.quantize(96, method=Image.Quantize.MEDIANCUT).save(FOLDER / name, optimize=True)


def read_map(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Classes, and their colours: (H, W) and (H, W, 3)."""
    with rasterio.open(path) as raster:
        colors = np.array([color[:3] for _, color in sorted(raster.colormap(1).items())], np.uint8)
        classes = raster.read(1)
    return classes, colors[classes]


def main(scene: str, maps: str, others: str) -> None:
    """Draw both; the second shows the part in which the two maps differ most."""
    stem = Path(scene).stem
    save(Image.open(Path(maps, f'{stem}_preview.png')), 'map.png')
    with rasterio.open(scene) as raster:
        pixels = np.moveaxis(raster.read([1, 2, 3]), 0, -1)
    with rasterio.open(Path(maps, f'{stem}_confidence.tif')) as raster:
        confidence = (raster.read(1).clip(0, 100) * 2.55).astype(np.uint8)[..., None].repeat(3, axis=2)
    smooth, smooth_colors = read_map(Path(maps, f'{stem}_classes.tif'))
    hard, hard_colors = read_map(Path(others, f'{stem}_classes.tif'))
    places = [(r, c) for r in range(0, len(hard) - SIDE + 1, 64) for c in range(0, hard.shape[1] - SIDE + 1, 64)]
    row, column = max(places, key=lambda at: (smooth != hard)[at[0] : at[0] + SIDE, at[1] : at[1] + SIDE].sum())
    panels = {
        'image': pixels,
        'no overlap': hard_colors,
        '50 % overlap, smooth': smooth_colors,
        'its confidence, white is 100 %': confidence,
    }
    sheet = Image.new('RGB', (GAP + len(panels) * (SIDE + GAP), SIDE + LINE + GAP), 'white')
    draw = ImageDraw.Draw(sheet)
    for number, (name, picture) in enumerate(panels.items()):
        left = GAP + number * (SIDE + GAP)
        draw.text((left, 5), name, (28, 31, 35), font_of(13))
        sheet.paste(Image.fromarray(picture[row : row + SIDE, column : column + SIDE]), (left, LINE))
    save(sheet, 'map_seams.png')
    print(f'the maps differ in {(smooth != hard).mean():.2%} of the pixels; shown: row {row}, column {column}')


if __name__ == '__main__':
    main(*sys.argv[1:])
