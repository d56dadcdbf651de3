"""Pictures of packed samples."""

import numpy as np
import pytest
import torch

from projects.false.reports.pictures import contact_sheet, enlarged
from projects.false.reports.samples import image_of


@pytest.mark.parametrize('bands', [1, 2, 3, 4])
def test_left_stays_left_whatever_the_bands(bands):
    tensor = torch.zeros(bands, 256, 256)
    tensor[..., :50] = 255
    picture = image_of(tensor)
    assert picture.shape == (256, 256, 3)
    assert (picture[:, :50] == 255).all()
    assert (picture[:, 50:] == 0).all()
    sheet = contact_sheet('title', ['image'], [('row', [enlarged(picture)])])
    _, columns = np.nonzero((sheet == 0).all(-1))
    assert columns.min() > 50
