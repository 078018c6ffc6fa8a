"""Jobs run one at a time, beside their caller, and their errors are not lost."""

import os
import signal
import sys
import time
from threading import Event, Timer, current_thread, get_native_id, main_thread

import pytest

from bertsmith._process import heard_stops
from bertsmith.cli.stopping import Stopped, raise_on_signals
from bertsmith.training import RunFolder
from bertsmith.training.background import Background
from bertsmith.training.saver import CheckpointSaver
from bertsmith.training.settings import LoopSettings


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


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere threads have no priority")
@pytest.mark.parametrize("is_awaited", [True, False])
def test_a_job_leaves_cores_to_training_unless_it_is_awaited(is_awaited):
    """Beside other programs the lowest priority makes minutes of seconds."""
    background, seen = Background("test"), []
    job = lambda: seen.append(os.getpriority(os.PRIO_PROCESS, get_native_id()))  # noqa: E731
    background.start(job, is_awaited=is_awaited)
    background.wait()
    own = os.getpriority(os.PRIO_PROCESS, 0)
    assert own == seen[0] if is_awaited else own < seen[0] <= own + 5


@pytest.mark.parametrize("is_left", [True, False])
def test_a_second_stop_does_not_wait_for_the_writer(tmp_path, monkeypatch, is_left):
    """Neither while a checkpoint is awaited, nor where the run is left for the first one."""
    monkeypatch.setattr("bertsmith.cli.stopping._latest", None)  # put back, whatever comes
    monkeypatch.setattr("sys.unraisablehook", sys.unraisablehook)
    go, started = Event(), time.monotonic()
    saver = CheckpointSaver(RunFolder(tmp_path), LoopSettings(), lambda *_: None)

    def stopped():
        with saver:
            saver._background.start(lambda: go.wait(60))
            if is_left:
                signal.raise_signal(signal.SIGINT)
            Timer(0.1, signal.raise_signal, [signal.SIGINT]).start()
            saver.wait()

    kept = {number: signal.getsignal(number) for number in heard_stops()}
    raise_on_signals()
    try:
        with pytest.raises(Stopped):
            stopped()
    finally:
        go.set()
        for number, handler in kept.items():
            signal.signal(number, handler)
    assert time.monotonic() - started < 30
