import itertools
import time

import pytest

from projects.false.common.errors import InputError
from projects.false.common.threads import Background, count_workers, map_ahead, run_all, show_progress


def test_results_keep_the_order_of_an_endless_source_that_is_read_a_little_ahead():
    taken = []

    def source():
        for number in itertools.count():
            taken.append(number)
            yield number

    def slower_when_even(number):
        time.sleep(0.005 * (number % 2 == 0))
        return number

    results = map_ahead(slower_when_even, source(), workers=4, ahead=8)
    assert list(itertools.islice(results, 20)) == list(range(20))
    results.close()
    assert len(taken) == 28


def test_an_error_takes_the_place_of_its_result():
    results = map_ahead(lambda number: 1 / number, [2, 1, 0, 1], workers=2)
    assert [next(results), next(results)] == [0.5, 1.0]
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_results_of_tasks_come_in_the_order_of_the_tasks():
    tasks = {'slow': lambda: time.sleep(0.02) or 1, 'fast': lambda: 2}
    assert list(run_all(tasks, 2, 'testing', 'tasks').items()) == [('slow', 1), ('fast', 2)]


def failing(text):
    def fail():
        raise InputError(text)

    return fail


def test_one_error_names_up_to_three_unusable_tasks():
    tasks = {f'{number}': failing(f'{number}: wrong') for number in range(7)}
    with pytest.raises(InputError) as caught:
        run_all(tasks | {'good': lambda: 0}, 2, 'testing', 'pairs')
    shown = ' | '.join(f'{number}: wrong' for number in range(3))
    assert str(caught.value) == f'7 of 8 pairs are unusable: {shown} | and 4 more'


def test_tasks_that_fail_alike_are_named_once():
    with pytest.raises(InputError, match=r'^a\.tif: damaged$'):
        run_all({'a_0': failing('a.tif: damaged'), 'a_1': failing('a.tif: damaged')}, 2, 'testing', 'pairs')


def test_any_other_error_is_raised_as_it_is():
    with pytest.raises(ZeroDivisionError):
        run_all({'good': lambda: 0, 'bad': lambda: 1 / 0}, 1, 'testing', 'pairs')


def test_number_of_threads(monkeypatch):
    assert count_workers(3) == 3
    for cores, expected in ((2, 2), (64, 8), (None, 1)):
        monkeypatch.setattr('os.cpu_count', lambda cores=cores: cores)
        assert count_workers(None) == expected
    with pytest.raises(InputError, match='workers is 0; give at least 1'):
        count_workers(0)


def test_in_order_and_complete():
    seen = []
    with Background(lambda item: (time.sleep(0.001), seen.append(item))) as background:
        for item in range(50):
            background.put(item)
    assert seen == list(range(50))


def test_an_error_comes_back_with_the_next_item_and_ends_the_work():
    seen = []

    def work(item):
        if item == 1:
            raise KeyError('disk')
        seen.append(item)

    def put_all():
        with Background(work) as background:
            for item in range(10_000):
                background.put(item)
                background.check()
                time.sleep(0.001)

    started = time.monotonic()
    with pytest.raises(KeyError, match='disk'):
        put_all()
    assert time.monotonic() - started < 5
    assert seen == [0]


def test_an_error_of_the_last_item_is_not_lost():
    def fail(_):
        raise KeyError('disk')

    with pytest.raises(KeyError, match='disk'), Background(fail) as background:
        background.put(1)


def test_an_error_of_the_block_goes_first():
    with pytest.raises(ZeroDivisionError), Background(lambda _: time.sleep(0.01)) as background:
        background.put(1 / 0)


def test_results_with_a_bar_are_the_results(capsys):
    taken = []
    shown = show_progress((taken.append(number) or number for number in range(5)), 5, 'counting')
    assert (next(shown), taken) == (0, [0])  # one at a time
    assert list(shown) == [1, 2, 3, 4]
    assert capsys.readouterr() == ('', '')  # of a terminal only
