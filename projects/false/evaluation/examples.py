"""Image, label and prediction of some test patches, side by side."""

import numpy as np
import torch
from mmengine.dataset import pseudo_collate
from mmengine.runner import Runner

from projects.false.datasets.color_codes import IGNORE_INDEX
from projects.false.reports.contact_sheet import contact_sheet, enlarged
from projects.false.reports.pictures import mask_picture
from projects.false.reports.samples import image_of, palette_of

MOST_EXAMPLES = 50  # rows of 290 pixels; a longer picture opens in no viewer


def example_sheet(runner: Runner, number: int, title: str) -> np.ndarray:
    """Predict patches that are spread evenly over the test list, good or bad, and lay them out in rows.

    Args:
        runner: With the trained model; any process of several may call this alone.
        number: How many patches, 1 to :data:`MOST_EXAMPLES`; fewer where the list is shorter.
        title: Above the sheet.

    Returns:
        Shape (H, W, 3), uint8, BGR: a legend, then image, label and prediction of every patch with its share of right
        pixels.
    """
    dataset = runner.test_loop.dataloader.dataset
    palette = palette_of(dataset)
    rows = []
    runner.model.eval()
    for index in np.linspace(0, len(dataset) - 1, min(number, len(dataset))).round().astype(int).tolist():
        sample = dataset[index]
        with torch.no_grad():
            found = runner.model.test_step(pseudo_collate([sample]))[0]
        label = found.gt_sem_seg.data[0].cpu().numpy().astype(np.uint8)
        prediction = found.pred_sem_seg.data[0].cpu().numpy().astype(np.uint8)
        counted = label != IGNORE_INDEX
        right = f'{100 * (label == prediction)[counted].mean():.0f} % right' if counted.any() else 'no label'
        pictures = [
            enlarged(image_of(sample['inputs'])),
            mask_picture(label, palette),
            mask_picture(prediction, palette),
        ]
        rows.append((_short(f'{found.img_path.rsplit("/", 1)[-1]}: {right}'), pictures))
    return contact_sheet(title, ('image', 'label', 'prediction'), rows, palette)


def _short(text: str, most: int = 100) -> str:
    return text if len(text) <= most else f'…{text[1 - most :]}'
