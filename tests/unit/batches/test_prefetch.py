import itertools
import threading
import time

import pytest

from bertsmith.batches import prefetched


def prefetch_threads():
    return [thread for thread in threading.enumerate() if thread.name == "prefetch"]


@pytest.fixture(autouse=True)
def _no_thread_is_left():
    yield
    assert prefetch_threads() == []


def test_items_in_order():
    assert list(prefetched(range(100), depth=3)) == list(range(100))


def test_works_ahead_up_to_its_depth_and_no_further():
    made = []
    third = threading.Event()

    def source():
        for number in itertools.count():
            made.append(number)
            if number == 3:
                third.set()
            yield number

    items = prefetched(source(), depth=2)
    assert next(items) == 0
    # Item 0 was taken; 1 and 2 wait, and 3 is made and waits for room.
    assert third.wait(120)
    time.sleep(0.25)
    assert made == [0, 1, 2, 3]
    items.close()


def test_errors_come_after_the_items_before_them():
    def source():
        yield 1
        raise KeyError("gone")

    items = prefetched(source(), depth=4)
    assert next(items) == 1
    with pytest.raises(KeyError, match="gone"):
        next(items)


def test_a_dropped_loop_ends_the_thread():
    for number in prefetched(itertools.count(), depth=2):
        if number == 5:
            assert len(prefetch_threads()) == 1
            break
    # The generator has no other reference, so that leaving the loop closed it.
    assert prefetch_threads() == []


def test_never_started_starts_no_thread():
    items = prefetched(itertools.count(), depth=2)
    assert prefetch_threads() == []
    items.close()
