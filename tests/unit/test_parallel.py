"""Work spread over processes and a cluster: in order, lazily, and in spite of workers that die."""

import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import BrokenExecutor, Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from bertsmith._parallel import Workers, ordered_map, started_early
from bertsmith._worker_processes import Crew, _sent
from bertsmith.errors import CorpusError, WorkerError


@dataclass(frozen=True)
class Square:
    """Kills a worker at one task, as often as there are files to take away.

    The deadly task should be the first: that one goes to another process for certain, while the
    calling one may do later tasks itself.
    """

    lives: Path
    deadly: int = -1

    def __call__(self, number):
        if number == self.deadly and multiprocessing.parent_process() is not None:
            for life in sorted(self.lives.iterdir())[:1]:
                life.unlink()
                os.kill(os.getpid(), signal.SIGKILL)
        return number * number


class SquareOfLength(Square):
    def __call__(self, text):
        return super().__call__(len(text))


def refuse(number):
    if number == 3:
        raise CorpusError("is odd", where="three", fix="take four")
    return number


def refuse_to_work_here(number):
    if multiprocessing.parent_process() is None:
        raise CorpusError(str(number))
    return number


@pytest.mark.parametrize("num_workers", [1, 2, 3])
def test_results_come_in_order(tmp_path, num_workers):
    results = ordered_map(Square(tmp_path), range(40), Workers(num_workers))
    assert list(results) == [number * number for number in range(40)]


def test_tasks_are_taken_as_they_are_needed(tmp_path):
    taken = []

    def tasks():
        for number in range(1000):
            taken.append(number)
            yield number

    results = ordered_map(Square(tmp_path), tasks(), Workers(2))
    next(results)
    assert len(taken) < 20
    results.close()


@pytest.mark.parametrize(("num_deaths", "num_workers"), [(1, 2), (2, 2), (2, 3)])
def test_a_worker_that_dies_is_replaced(tmp_path, num_deaths, num_workers):
    for number in range(num_deaths):
        (tmp_path / str(number)).touch()
    results = ordered_map(Square(tmp_path, deadly=7), range(7, 30), Workers(num_workers))
    assert list(results) == [number * number for number in range(7, 30)]
    assert not list(tmp_path.iterdir())


def test_the_calling_process_works_too_and_its_errors_come_in_turn():
    seen = []
    results = ordered_map(refuse_to_work_here, range(1000), Workers(2))
    with pytest.raises(CorpusError) as caught:
        seen.extend(results)
    assert seen == list(range(int(caught.value.what)))


def slow_elsewhere(number):
    if multiprocessing.parent_process() is not None:
        time.sleep(0.5)
    return number, os.getpid()


def test_the_calling_process_does_what_is_left_at_the_end():
    results = list(ordered_map(slow_elsewhere, range(3), Workers(2)))
    assert [number for number, _ in results] == [0, 1, 2]
    # All three were handed over, and the worker is still at the first.
    is_here = [pid == os.getpid() for _, pid in results]
    assert is_here == [False, True, True]
    assert not multiprocessing.active_children()


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


def wrong_here(number):
    if multiprocessing.parent_process() is None:
        raise CorpusError(str(number))
    time.sleep(0.1)
    return number


def test_an_error_at_the_end_comes_from_whoever_has_the_task():
    assert list(ordered_map(wrong_here, range(3), Workers(2))) == [0, 1, 2]


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


def test_large_tasks_of_a_worker_that_died_are_done_by_the_next(tmp_path, temporary):
    (tmp_path / "lives").mkdir()
    (tmp_path / "lives" / "one").touch()
    text = "a" * 300_000
    job = SquareOfLength(tmp_path / "lives", deadly=300_000)
    assert list(ordered_map(job, [text] * 6, Workers(2))) == [300_000**2] * 6
    assert [path.name for path in tmp_path.iterdir()] == ["lives"]
    assert not list((tmp_path / "lives").iterdir())


def test_a_task_that_finds_no_room_on_the_disk_goes_through_the_pipe(tmp_path):
    task = bytes(300_000)
    assert _sent(task, tmp_path / "0") == tmp_path / "0"
    assert (tmp_path / "0").read_bytes() == task
    assert _sent(task, tmp_path / "missing" / "1") == task


def test_work_that_kills_every_worker_is_told(tmp_path):
    for number in range(50):
        (tmp_path / str(number)).touch()
    # Results before the deadly task would each start the count of deaths again.
    results = ordered_map(Square(tmp_path, deadly=7), range(7, 30), Workers(2))
    with pytest.raises(WorkerError, match="workers died 3 times at the same piece of work"):
        list(results)
    assert len(list(tmp_path.iterdir())) == 47


def test_a_new_crew_that_is_lost_at_once_is_replaced(monkeypatch):
    """As where the workers that came for those that died die before they have all the tasks."""
    hired = []

    @contextmanager
    def hire(job, num_workers):
        hired.append(num_workers)

        def submit(task):
            future = Future()
            if len(hired) == 1:
                future.set_exception(BrokenExecutor())
            elif len(hired) == 2:
                raise BrokenExecutor
            else:
                future.set_result(job(task))
            return future

        yield Crew(num_workers, submit)

    monkeypatch.setattr("bertsmith._parallel.crew_of_processes", hire)
    assert list(ordered_map(abs, [-1, -2, -3], Workers(2))) == [1, 2, 3]
    assert len(hired) == 3


@pytest.mark.parametrize("num_workers", [1, 2])
def test_a_users_mistake_comes_through(num_workers):
    with pytest.raises(CorpusError, match=r"^three: is odd; take four$") as caught:
        list(ordered_map(refuse, range(10), Workers(num_workers)))
    assert caught.value.fix == "take four"


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


def test_an_early_process_that_dies_is_replaced():
    with started_early(Workers(2), "bertsmith.store.tokenizing"):
        (early,) = multiprocessing.active_children()
        early.kill()
        early.join()
        results = list(ordered_map(slow_elsewhere, range(8), Workers(2)))
    assert [number for number, _ in results] == list(range(8))


def test_another_number_of_processes_is_not_what_was_started():
    with started_early(Workers(2), "time"):
        early = started_children()
        assert not early & set(ordered_map(pid_elsewhere, range(20), Workers(3)))
        assert started_children() == early
    assert not multiprocessing.active_children()
