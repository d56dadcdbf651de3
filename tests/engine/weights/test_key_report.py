from projects.false.engine.weights.matching import compare_keys


def test_every_name_is_told_once():
    given = {'a.weight': (1,), 'b.weight': (2, 2), 'fc.weight': (3,), 'c.num_batches_tracked': ()}
    expected = {'a.weight': (1,), 'b.weight': (2, 1), 'd.weight': (4,), 'd.num_batches_tracked': ()}
    report = compare_keys(given, expected, others=['neck.x', 'neck.y'])
    assert report.matched == ('a.weight',)
    assert report.reshaped == (('b.weight', (2, 2), (2, 1)),)
    assert report.missing == ('d.weight', 'd.num_batches_tracked')
    assert report.needed() == ['d.weight']
    assert report.unexpected == ('fc.weight', 'c.num_batches_tracked', 'neck.x', 'neck.y')
    assert report.surplus() == ['fc.weight', 'neck.x', 'neck.y']
    assert report.text() == (
        '1 matched, 2 missing (d.weight, d.num_batches_tracked), 4 unexpected (left out: fc 1, c 1, neck 2)'
    )
