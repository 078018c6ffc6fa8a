"""Worker processes: how they start, are fed quickly, and end."""

import fcntl
import multiprocessing
import os
import pickle
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

__all__ = ["Crew", "crew_of_processes"]

# The most that Linux gives to those who aren't root.
_PIPE_BYTES = 2**20


@dataclass
class Crew:
    """Workers that are there.

    Attributes:
        size: how many there are.
        submit: hands a task to one of them.
        losses: what is raised where a worker was lost, and with it the crew.
        abandon: ends the workers whatever they are at, so that nobody waits for it.
    """

    size: int
    submit: Callable[[Any], Future[Any]]
    losses: tuple[type[BaseException], ...] = (BrokenExecutor,)
    abandon: Callable[[], None] = lambda: None


@contextmanager
def crew_of_processes(job: Callable[[Any], Any], num_workers: int) -> Iterator[Crew]:
    """Processes of this machine, until the context ends.

    Args:
        job: what they do with each task; picklable.
        num_workers: how many there are.
    """
    # The job goes through a file: handed over at the start it would go through a pipe, and Python
    # waits for ever at a full pipe whose reader has died.
    with tempfile.NamedTemporaryFile(prefix="bertsmith-job-") as file:
        pickle.dump(job, file, protocol=pickle.HIGHEST_PROTOCOL)
        file.flush()
        pool: Executor = ProcessPoolExecutor(
            num_workers,
            # Not "fork": the calling process may have threads, whose locks a fork would copy held.
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_start_process,
            initargs=(file.name,),
        )
        try:
            _widen_pipes(pool)
            with _quick_threads():
                yield Crew(
                    num_workers, lambda task: _submit(pool, task), abandon=lambda: _kill(pool)
                )
        finally:
            pool.shutdown(cancel_futures=True)


def _kill(pool: Executor) -> None:
    """Ends a pool's processes in the middle of whatever they do."""
    for process in list((getattr(pool, "_processes", None) or {}).values()):
        process.kill()
    # One may have been writing its result, of which the pool's thread has read a part. It would
    # wait for the rest for ever: a pipe isn't over while this process holds its other end.
    queue = getattr(pool, "_result_queue", None)
    if queue is not None:
        queue._writer.close()


def _widen_pipes(pool: Executor) -> None:
    """Makes room in a pool's pipes for a task and its result, where the system can.

    Otherwise a worker waits between two tasks until the other side has read all of the result, and
    written all of the task, 64 KiB at a time.
    """
    queues = (getattr(pool, name, None) for name in ("_call_queue", "_result_queue"))
    for writer in filter(None, (getattr(queue, "_writer", None) for queue in queues)):
        with suppress(AttributeError, OSError):
            fcntl.fcntl(writer.fileno(), fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


@contextmanager
def _quick_threads() -> Iterator[None]:
    """Lets threads take turns every 0.2 ms instead of every 5.

    Results are read from a pipe, and tasks are handed over, by threads of the pool. While this
    process works too, each of them waits a turn for every piece, and a worker waits with it.
    """
    before = sys.getswitchinterval()
    sys.setswitchinterval(2e-4)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def _submit(pool: Executor, task: Any) -> Future[Any]:
    # A process that is started here inherits what is blocked. Until it ignores Ctrl-C by itself,
    # it would end with a traceback of its own.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        return pool.submit(_run_in_process, task)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


_job: Callable[[Any], Any] | None = None


def _start_process(job_file: str) -> None:
    global _job
    # Ctrl-C reaches every process of the terminal; the first one ends the others in order.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_die_with_parent, args=(job_file,), daemon=True).start()
    with Path(job_file).open("rb") as file:
        _job = pickle.load(file)


def _die_with_parent(job_file: str) -> None:
    """A worker whose parent was killed would wait for work for ever, and nobody clears up."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        Path(job_file).unlink(missing_ok=True)
        os._exit(1)


def _run_in_process(task: Any) -> Any:
    if _job is None:
        raise RuntimeError("the worker was not started by _start_process")
    return _job(task)
