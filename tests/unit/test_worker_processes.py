"""Worker processes: how they start, get large tasks, and end with whoever started them."""

import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from bertsmith._parallel import Workers, ordered_map, started_early
from bertsmith._worker_processes import _sent
from bertsmith.errors import CorpusError


def large(number):
    return bytes(20_000_000)


@pytest.mark.parametrize("delay", [0.0, 0.005, 0.02])
def test_a_worker_that_is_killed_while_it_hands_over_a_result_keeps_nobody_waiting(delay):
    results = ordered_map(large, range(4), Workers(2))
    next(results)
    time.sleep(delay)
    closing = threading.Thread(target=results.close, daemon=True)
    closing.start()
    closing.join(20)
    assert not closing.is_alive()


@dataclass(frozen=True)
class LengthOf:
    """Tells what it got and whether it was in the calling process; workers wait for a file."""

    permission: Path

    def __call__(self, text):
        is_here = multiprocessing.parent_process() is None
        while not is_here and not self.permission.exists():
            time.sleep(0.005)
        return text[:1], len(text), is_here


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_large_tasks_go_through_files_that_are_gone_afterwards(temporary, tmp_path_factory):
    permission = tmp_path_factory.mktemp("permission") / "given"
    seen = set()

    def look():
        """At the files that wait while the worker is held at its first task."""
        deadline = time.monotonic() + 60
        while len(seen) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
            with suppress(FileNotFoundError):
                files = [file for file in temporary.glob("*/*") if file.name.isdecimal()]
                seen.update(file for file in files if file.stat().st_size >= 300_000)
        permission.touch()

    looking = threading.Thread(target=look)
    looking.start()
    texts = [str(n % 10) * 300_000 for n in range(12)]
    found = list(ordered_map(LengthOf(permission), texts, Workers(2)))
    looking.join()
    assert len(seen) >= 2
    assert [(start, length) for start, length, _ in found] == [(t[0], 300_000) for t in texts]
    assert {is_here for _, _, is_here in found} == {True, False}
    assert list(temporary.iterdir()) == []


@dataclass(frozen=True)
class LengthOfALife:
    """Kills the worker that comes first."""

    lives: Path

    def __call__(self, text):
        if multiprocessing.parent_process() is not None:
            for life in self.lives.iterdir():
                life.unlink()
                os.kill(os.getpid(), signal.SIGKILL)
        return len(text)


def test_large_tasks_of_a_worker_that_died_are_done_by_the_next(tmp_path, temporary):
    (tmp_path / "lives").mkdir()
    (tmp_path / "lives" / "one").touch()
    text = "a" * 300_000
    job = LengthOfALife(tmp_path / "lives")
    assert list(ordered_map(job, [text] * 6, Workers(2))) == [300_000] * 6
    assert [path.name for path in tmp_path.iterdir()] == ["lives"]
    assert not list((tmp_path / "lives").iterdir())


def test_a_task_that_finds_no_room_on_the_disk_goes_through_the_pipe(tmp_path):
    task = bytes(300_000)
    assert _sent(task, tmp_path / "0") == tmp_path / "0"
    assert (tmp_path / "0").read_bytes() == task
    assert _sent(task, tmp_path / "missing" / "1") == task


SCRIPT = """
import sys, time
from bertsmith._parallel import Workers, ordered_map, started_early
if __name__ == "__main__":
    for _ in ordered_map(time.sleep, [0.01] * 100_000, Workers(3)):
        print("working", flush=True)
"""


def test_workers_go_when_their_parent_is_killed(tmp_path, monkeypatch):
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    (tmp_path / "script.py").write_text(SCRIPT)
    command = [sys.executable, str(tmp_path / "script.py")]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, **pipes, text=True) as parent:
        assert parent.stdout.readline() == "working\n"
        children = psutil.Process(parent.pid).children(recursive=True)
        assert len(children) >= 2
        parent.kill()
        deadline = time.monotonic() + 120
        while any(child.is_running() and child.status() != "zombie" for child in children):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        # Python's resource tracker ends last; it would tell of semaphores that nobody removed.
        assert parent.stderr.read() == ""
    assert list((tmp_path / "temporary").iterdir()) == []


SLOW_START = """
import os, sys, time
from pathlib import Path
from bertsmith._parallel import Workers, ordered_map, started_early
if __name__ == "__main__":
    try:
        list(ordered_map(time.sleep, [0.1] * 200, Workers(3)))
    except KeyboardInterrupt:
        print("stopped", flush=True)
else:
    Path(sys.argv[1], str(os.getpid())).touch()
    time.sleep(1)
"""


def test_ctrl_c_while_workers_start_shows_nothing_of_theirs(tmp_path):
    (tmp_path / "script.py").write_text(SLOW_START)
    (tmp_path / "starting").mkdir()
    command = [sys.executable, str(tmp_path / "script.py"), str(tmp_path / "starting")]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, stdout=pipe, stderr=pipe, text=True, start_new_session=True
    ) as parent:
        deadline = time.monotonic() + 120
        while len(list((tmp_path / "starting").iterdir())) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        os.killpg(parent.pid, signal.SIGINT)
        assert parent.communicate(timeout=120) == ("stopped\n", "")


UNGUARDED = """
from bertsmith._parallel import Workers, ordered_map, started_early
from bertsmith.errors import WorkerError

class Large:
    def __init__(self):
        self.content = bytes(300_000)

    def __call__(self, number):
        return number

try:
    list(ordered_map(Large(), range(20), Workers(2)))
except WorkerError as error:
    print(error)
"""


def test_a_script_that_starts_itself_again_is_told_what_to_do(tmp_path):
    """Its workers die before they have read their job, which must not block the script."""
    (tmp_path / "script.py").write_text(UNGUARDED)
    command = [sys.executable, str(tmp_path / "script.py")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert 'start the work under if __name__ == "__main__"' in done.stdout


def started_children():
    return {process.pid for process in multiprocessing.active_children()}


def pid_elsewhere(number):
    time.sleep(0.05)
    return os.getpid()


def test_processes_that_were_started_early_do_the_first_work_alone():
    with started_early(Workers(3), "bertsmith.store.tokenizing"):
        early = started_children()
        assert len(early) == 2
        assert set(ordered_map(pid_elsewhere, range(20), Workers(3))) <= {*early, os.getpid()}
        assert not multiprocessing.active_children()
        later = set(ordered_map(pid_elsewhere, range(20), Workers(3)))
        assert later != {os.getpid()}
        assert not later & early


@pytest.mark.parametrize("num_workers", [1, 2])
def test_processes_that_nobody_needed_are_gone(num_workers):
    def fail():
        with started_early(Workers(num_workers), "time"):
            assert len(started_children()) == num_workers - 1
            raise CorpusError("is missing")

    with pytest.raises(CorpusError):
        fail()
    assert not multiprocessing.active_children()


def slow(number):
    time.sleep(0.1)
    return number


def test_an_early_process_that_dies_is_replaced():
    with started_early(Workers(2), "bertsmith.store.tokenizing"):
        (early,) = multiprocessing.active_children()
        early.kill()
        early.join()
        assert list(ordered_map(slow, range(8), Workers(2))) == list(range(8))


def test_another_number_of_processes_is_not_what_was_started():
    with started_early(Workers(2), "time"):
        early = started_children()
        assert not early & set(ordered_map(pid_elsewhere, range(20), Workers(3)))
        assert started_children() == early
    assert not multiprocessing.active_children()
