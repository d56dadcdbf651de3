import numpy as np
import pytest
from rasterio.warp import transform as to_system

from projects.false.label_audit.shared_ground import APART, OVERLAPPING, TOUCHING, Ground, Window, meeting_windows

SIZE = 16


def windows(count, sources, high=200, seed=0):
    rng = np.random.default_rng(seed)
    drawn = zip(rng.choice(sources, count), *rng.integers(0, high, (2, count)).tolist(), strict=True)
    return [Window(str(source), row, col, SIZE) for source, row, col in drawn]


def slowly(place, known, asked):
    """The relation to the windows that meet most, by whole pixels of one plane."""
    found = []
    for number in asked:
        gaps = [max(abs(place[number][axis] - place[k][axis]) - SIZE for axis in (1, 2))
                for k in known if place[k][0] == place[number][0]]  # fmt: skip
        least = min(gaps, default=1)
        found.append(OVERLAPPING if least < 0 else TOUCHING if least == 0 else APART)
    return found


def check(made, sources, place):
    known, asked = np.arange(len(made) * 2 // 3), np.arange(len(made) * 2 // 3, len(made))
    relations, others = meeting_windows(Ground(made, sources), known, asked)
    assert relations.tolist() == slowly(place, known, asked)
    assert {APART, TOUCHING, OVERLAPPING} == set(relations.tolist())
    for number, relation, other in zip(asked, relations, others, strict=True):
        assert (other == -1) == (relation == APART)
        if other >= 0:
            assert slowly(place, [other], [number]) == [relation]
    return others


def test_within_images_against_a_slow_loop():
    made = windows(400, ['a', 'b', 'c'])
    check(made, {}, [(w.source, w.row, w.col) for w in made])


def test_from_image_to_image_turned_and_far_from_the_origin():
    turned = {'north': (0.25, 0.0, 0.0, -0.25), 'turned': (0.2, 0.15, 0.15, -0.2)}
    for a, b, d, e in turned.values():
        corner, moved = (912_345.5, 6_254_321.25), (5, 90)  # the second image begins 5 rows and 90 columns further
        sources = {'one': {'crs': 'EPSG:2154', 'transform': [a, b, corner[0], d, e, corner[1]]}}
        x, y = corner[0] + a * moved[1] + b * moved[0], corner[1] + d * moved[1] + e * moved[0]
        sources['two'] = {'crs': 'EPSG:2154', 'transform': [a, b, x, d, e, y]}
        made = windows(400, ['one', 'two', 'unplaced'])
        shift = {'two': moved}
        place = [
            (w.source == 'unplaced', w.row + shift.get(w.source, (0, 0))[0], w.col + shift.get(w.source, (0, 0))[1])
            for w in made
        ]
        check(made, sources, place)


@pytest.mark.parametrize('metres', [0, 100])
def test_images_of_two_reference_systems(metres):
    x, y = to_system('EPSG:32632', 'EPSG:32633', [790_000.0 + metres], [5_500_000.0])
    place = {'west': ('EPSG:32632', 790_000.0, 5_500_000.0), 'east': ('EPSG:32633', x[0], y[0])}
    sources = {name: {'crs': crs, 'transform': [1.0, 0, x, 0, -1.0, y]} for name, (crs, x, y) in place.items()}
    made = [Window('west', 0, 0, SIZE), Window('west', 0, 64, SIZE), Window('east', 0, 0, SIZE)]
    (relation,), (other,) = meeting_windows(Ground(made, sources), np.array([0, 1]), np.array([2]))
    assert (relation, other) == ((OVERLAPPING, 0) if metres == 0 else (APART, -1))


def test_more_pairs_than_are_compared_at_a_time(monkeypatch):
    made = windows(400, ['a', 'b', 'c'])
    place = [(w.source, w.row, w.col) for w in made]
    whole = check(made, {}, place)
    monkeypatch.setattr('projects.false.label_audit.shared_ground._BLOCK', 7)
    assert check(made, {}, place).tolist() == whole.tolist()


def test_nothing_to_compare():
    none = np.empty(0, np.int64)
    relations, others = meeting_windows(Ground([], {}), none, none)
    assert relations.size == others.size == 0
    ground = Ground(windows(3, ['a']), {})
    assert meeting_windows(ground, none, np.arange(3))[0].tolist() == [APART] * 3
