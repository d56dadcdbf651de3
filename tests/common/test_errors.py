"""Many faults as one error, and types in configs by their names, however they are given."""

import pytest

from projects.false.common.errors import Faults, InputError, check_seed, some, type_name


@pytest.mark.parametrize(
    ('kind', 'name'),
    [('A', 'A'), ('mmengine.A', 'A'), ('a.b.A', 'A'), (InputError, 'InputError'), (None, ''), (3, '')],
)
def test_name_of_a_type(kind, name):
    assert type_name(kind) == name


def test_some_of_many_names():
    assert some('abc') == 'a, b, c'
    assert some('abcde') == 'a, b, c and 2 more'
    assert some(range(2004), ' ') == '0 1 2 and 2,001 more'


def faults_of(*texts, sound=0):
    faults = Faults('images')
    for text in (*texts, *[None] * sound):
        with faults.noted():
            if text:
                raise InputError(text)
    return faults


def test_nothing_wrong_and_a_single_fault():
    faults_of(sound=2).check()
    with pytest.raises(InputError, match=r'^a\.tif: empty; copy it$'):
        faults_of('a.tif: empty; copy it', 'a.tif: empty; copy it', sound=9).check()


@pytest.mark.parametrize(
    ('texts', 'expected'),
    [
        (['a: empty; copy it', 'b: empty; copy it'], '2 of 3 images are unusable: a: empty | b: empty; copy it'),
        (
            ['a: empty; copy it', 'b: red; cut it'],
            '2 of 3 images are unusable: a: empty | b: red; for the first: copy it',
        ),
        ([*'abcde'], '5 of 6 images are unusable: a | b | c | and 2 more'),
    ],
)
def test_many_faults_are_a_count_three_examples_and_one_way_out(texts, expected):
    with pytest.raises(InputError) as caught:
        faults_of(*texts, sound=1).check()
    assert str(caught.value) == expected
    with pytest.raises(InputError, match=f'^{len(texts)} of 77 images'):
        faults_of(*texts).check(of=77)


def test_other_errors_are_no_faults():
    with pytest.raises(ZeroDivisionError), Faults('images').noted():
        _ = 1 / 0


def test_seeds_are_not_below_0():
    check_seed(0)
    with pytest.raises(InputError, match=r'^seed is -1; give 0 or more$'):
        check_seed(-1)
