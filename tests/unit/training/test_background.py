"""Jobs run one at a time, beside their caller, and their errors are not lost."""

from threading import Event, current_thread, main_thread

import pytest

from bertsmith.training.background import Background


def test_a_job_runs_beside_its_caller_and_the_next_one_waits():
    background, go, seen = Background("test"), Event(), []

    def first():
        go.wait(60)
        seen.append(current_thread() is main_thread())

    background.start(first)
    assert seen == []
    background.check()
    go.set()
    background.start(lambda: seen.append("second"))
    background.wait()
    assert seen == [False, "second"]


@pytest.mark.parametrize("call", ["check", "wait", "start"])
def test_an_error_is_raised_once_at_the_next_call(call):
    background = Background("test")

    def fail():
        raise OSError("disk full")

    background.start(fail)
    background._thread.join()
    arguments = [lambda: None] if call == "start" else []
    with pytest.raises(OSError, match="disk full"):
        getattr(background, call)(*arguments)
    background.check()
    background.wait()


def test_join_leaves_an_error_for_later():
    background = Background("test")

    def fail():
        raise OSError("disk full")

    background.start(fail)
    background.join()
    with pytest.raises(OSError, match="disk full"):
        background.wait()
