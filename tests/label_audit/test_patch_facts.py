import cv2
import numpy as np
import pytest

from projects.false.label_audit.patch_checks import read_facts

CLASSES = ['roof', 'ground', 'water']


@pytest.fixture
def pair(tmp_path):
    rng = np.random.default_rng(0)
    image, mask = rng.integers(0, 256, (8, 6, 3), np.uint8), np.uint8([[0, 1, 2, 255, 0, 1]] * 8)
    paths = tmp_path / 'image.png', tmp_path / 'mask.png'

    def write(image=image, mask=mask):
        cv2.imwrite(str(paths[0]), image)
        cv2.imwrite(str(paths[1]), mask)
        return lambda bands=3: read_facts('p', *paths, CLASSES, 255, bands)

    write.image, write.mask, write.paths = image, mask, paths
    return write


def found(facts):
    return [(finding.kind, finding.text) for finding in facts.findings]


def test_a_good_patch(pair):
    facts = pair()()
    assert found(facts) == []
    assert facts.counts.tolist() == [16, 16, 8, 8, 0]
    assert facts.codes.shape == (8,)
    cv2.imwrite(str(pair.paths[0]), pair.image, [cv2.IMWRITE_PNG_COMPRESSION, 0])
    assert pair(pair.image)().digest == facts.digest  # of the pixels, not of the file
    assert pair(255 - pair.image)().digest != facts.digest


def test_what_can_be_wrong_with_a_mask(pair):
    values = pair.mask.copy()
    values[0, :4], values[1, 0] = 3, 200
    facts = pair(mask=values)()
    assert found(facts) == [('out of range', '3 (4 pixels), 200 (1 pixels); classes are 0 to 2')]
    assert facts.counts.tolist() == [14, 15, 7, 7, 5]
    assert found(pair(mask=np.full((8, 6), 255, np.uint8))()) == [('no label', 'all pixels are ignored')]
    assert found(pair(mask=np.where(pair.mask == 255, 255, 1).astype(np.uint8))()) == [('single class', 'ground only')]
    assert found(pair(mask=pair.mask.T.copy())()) == [('size mismatch', 'mask 8 x 6, image 6 x 8')]
    facts = pair(mask=pair.image)()
    assert [kind for kind, _ in found(facts)] == ['unreadable']
    assert 'an index mask has one 8-bit band' in facts.findings[0].text
    assert facts.counts is None
    pair.paths[1].unlink()
    (finding,) = read_facts('p', *pair.paths, CLASSES, 255, 3).findings
    assert (finding.kind, finding.text) == ('missing mask', f'{pair.paths[1]}: no such file')
    assert read_facts('p', pair.paths[0], None, CLASSES, 255, 3).findings == []


def test_what_can_be_wrong_with_an_image(pair):
    facts = pair(np.full((8, 6, 3), 7, np.uint8))()
    assert found(facts) == [('blank image', 'all pixels are near 7')]
    assert facts.codes is facts.digest is None
    read = pair()
    assert [kind for kind, _ in found(read(bands=4))] == ['unreadable']
    pair.paths[0].write_bytes(pair.paths[0].read_bytes()[:-20])
    facts = read()
    assert [kind for kind, _ in found(facts)] == ['unreadable']
    assert 'cut off' in facts.findings[0].text
    assert facts.counts.tolist() == [16, 16, 8, 8, 0]
    assert found(read_facts('p', None, pair.paths[1], CLASSES, 255, 3)) == [('missing image', 'no image of that name')]
