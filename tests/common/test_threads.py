import time

import pytest

from projects.false.common.threads import Background


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
