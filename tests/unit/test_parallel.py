"""Work spread over processes and a cluster: in order, lazily, and in spite of workers that die."""

import multiprocessing
import os
import signal
import time
from concurrent.futures import BrokenExecutor, Future
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from bertsmith._parallel import Workers, ordered_map
from bertsmith._worker_processes import Crew
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


def wrong_here(number):
    if multiprocessing.parent_process() is None:
        raise CorpusError(str(number))
    time.sleep(0.1)
    return number


def test_an_error_at_the_end_comes_from_whoever_has_the_task():
    assert list(ordered_map(wrong_here, range(3), Workers(2))) == [0, 1, 2]


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
