import cv2
import numpy as np
import pytest

from projects.false.converters.scenes.scene import draw_scene
from projects.false.imagery.windows import grid
from projects.false.label_audit.patch_checks import PatchFacts, find_duplicates, overlapping_windows, read_facts
from projects.false.label_audit.similar_pictures import grey_of_bands, orientation_codes, shared_detail

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
    assert 'an index mask has one band' in facts.findings[0].text
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


SIZE = 96


@pytest.fixture(scope='module')
def scenes():
    """Return patches of two scenes, one for training and one for testing."""
    cut = [(row, column) for row in range(0, 384, SIZE) for column in range(0, 384, SIZE)]
    pictures = {side: draw_scene(384, 7, number)[0] for number, side in enumerate(('train', 'test'))}
    return {
        f'{side}_{row}_{column}': picture[row : row + SIZE, column : column + SIZE]
        for side, picture in pictures.items()
        for row, column in cut
    }


def search(pictures):
    facts = {}
    for name, picture in pictures.items():
        codes = orientation_codes(grey_of_bands(picture))
        facts[name] = PatchFacts(None, None if codes is None else picture.tobytes()[:4096], codes, [])
    training = [name for name in pictures if name.startswith('train')]
    testing = {name: 'test' for name in pictures if name not in training}
    return find_duplicates(
        facts,
        training,
        testing,
        lambda pairs: [shared_detail(*(grey_of_bands(pictures[name]) for name in pair)) for pair in pairs],
    )


def test_nothing_is_found_between_two_scenes(scenes):
    assert search(scenes) == []


def test_planted_duplicates_are_found(scenes):
    source = scenes['train_96_192']
    code = cv2.imencode('.jpg', np.ascontiguousarray(np.rot90(source)), [cv2.IMWRITE_JPEG_QUALITY, 70])[1]
    planted = {
        'copy': ('identical', source),
        'compressed': ('near duplicate', cv2.imdecode(code, cv2.IMREAD_COLOR)),
        'brighter': ('near duplicate', cv2.convertScaleAbs(source[:, ::-1], alpha=1.1, beta=5)),
        'smaller': ('near duplicate', cv2.resize(source, (64, 64), interpolation=cv2.INTER_AREA)),
    }
    findings = search(scenes | {name: picture for name, (_, picture) in planted.items()})
    assert {finding.patch: finding.kind for finding in findings} == {name: kind for name, (kind, _) in planted.items()}
    assert {finding.other for finding in findings} == {'train_96_192'}


def test_blank_patches_and_patches_on_both_sides_are_left_out(scenes):
    blank = np.zeros((SIZE, SIZE, 3), np.uint8)
    assert search(scenes | {'train_blank': blank, 'test_blank': blank}) == []
    facts = {'a': PatchFacts(None, b'1', np.arange(8, dtype=np.uint64), [])}
    assert find_duplicates(facts, ['a'], {'a': 'test'}, lambda pairs: [1.0] * len(pairs)) == []


def test_against_counting_pixels():
    rng = np.random.default_rng(0)
    size, records, covered = 16, {}, {}
    for number in range(120):
        source, row, col = f's{rng.integers(3)}', int(rng.integers(0, 200)), int(rng.integers(0, 200))
        records[f'p{number}'] = {'source': source, 'row': row, 'col': col}
    names = list(records)
    training, testing = names[:80], dict.fromkeys(names[80:], 'test')
    for name in names:
        canvas = np.zeros((216, 216), bool)
        canvas[records[name]['row'] :, records[name]['col'] :][:size, :size] = True
        covered[name] = canvas
    expected = {}
    for name in testing:
        shared = {
            other: (covered[name] & covered[other]).sum() / size**2
            for other in training
            if records[other]['source'] == records[name]['source']
        }
        if max(shared.values()) > 0:
            expected[name] = max(shared.values())
    findings = overlapping_windows(records, size, training, testing)
    assert {finding.patch for finding in findings} == set(expected)
    assert 3 < len(expected) < 40
    for finding in findings:
        assert finding.text == f'{expected[finding.patch]:.0%} of it is in {finding.other}'


def test_shifted_windows_within_a_split_are_none_of_its_business():
    records = {f'{source}_{row}_{col}': {'source': source, 'row': row, 'col': col}
               for source in 'ab' for row, col in grid(40, 40, 16, 16)}  # fmt: skip
    training = [name for name in records if name.startswith('a')]
    testing = {name: 'test' for name in records if name.startswith('b')}
    assert overlapping_windows(records, 16, training, testing) == []
    assert overlapping_windows(records, 16, training, {'unknown': 'test', 'a_0_0': 'test'}) == []
    moved = overlapping_windows(records, 16, [name for name in training if name != 'a_24_24'], {'a_24_24': 'test'})
    assert [(finding.kind, finding.text) for finding in moved] == [('overlap', '50% of it is in a_24_16')]
