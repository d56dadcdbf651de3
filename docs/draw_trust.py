"""Draw images/trust_areas.png: python docs/draw_trust.py.

The counts are those of the worked example of Olofsson et al. (2014), https://doi.org/10.1016/j.rse.2014.02.015.
"""

from pathlib import Path

import numpy as np

from projects.false.assessment.estimates import estimate
from projects.false.assessment.report import Assessment, chart

CLASSES = ('deforestation', 'forest gain', 'stable forest', 'stable non-forest')
COUNTS = np.array([[66, 0, 5, 4], [0, 55, 8, 12], [1, 0, 153, 11], [2, 1, 9, 313]])
PIXELS = np.array([200_000, 150_000, 3_200_000, 6_450_000])

if __name__ == '__main__':
    found = Assessment(estimate(COUNTS, PIXELS, CLASSES), CLASSES, hectares=0.09)
    title = 'Olofsson et al. (2014): 640 places in a map of 10 million pixels'
    Path(__file__).with_name('images').joinpath('trust_areas.png').write_bytes(chart(found, 0.95, title))
