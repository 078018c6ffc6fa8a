"""Worker processes: how they start, are fed quickly, and end."""

import fcntl
import importlib
import multiprocessing
import os
import pickle
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from multiprocessing.connection import wait
from multiprocessing.synchronize import SemLock
from pathlib import Path
from typing import Any

__all__ = ["Crew", "crew_of_processes", "early_processes"]

# The most that Linux gives to those who aren't root.
_PIPE_BYTES = 2**20
# Larger tasks go through a file. All that can wait in a pool's pipe, a task more than there are
# workers, fits into 64 KiB: early Pythons 3.11 wait for ever at a full pipe whose reader has died.
_MOST_PIPED = 2**10
_JOB, _LOCKS = "job", "locks"
_SECONDS_TO_START = 2.0
# What may reach a new process before it has said what it does then.
_STOPS = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP})


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
    with _early_or_new(num_workers) as processes:
        (processes.folder / _JOB).write_bytes(_pickled(job))
        pool, numbers = processes.pool, count()

        def submit(task: Any) -> Future[Any]:
            sent = _sent(_pickled(task), processes.folder / str(next(numbers)))
            return _submit(pool, _run_in_process, sent)

        with _quick_threads():
            yield Crew(num_workers, submit, abandon=lambda: _kill(pool))


@contextmanager
def early_processes(num_workers: int, module: str) -> Iterator[None]:
    """Starts processes now, for the first `crew_of_processes` of as many in the body.

    A process takes as long to start as this one takes to read what the work is about: so both can
    be done at once.

    Args:
        num_workers: how many there are.
        module: what they import meanwhile, such as that of their job.
    """
    with ExitStack() as stack:
        processes = stack.enter_context(_processes(num_workers, module))
        for _ in range(num_workers):  # each starts when there is something to do
            _submit(processes.pool, _do_nothing)
        _early.append((num_workers, processes, stack.pop_all()))
    try:
        yield
    finally:
        while _early:  # nobody needed them
            _, processes, stack = _early.pop()
            _kill(processes.pool)
            stack.close()


@dataclass(frozen=True)
class _Processes:
    """A pool, and the folder in which its processes find their job, and tasks that are large."""

    pool: Executor
    folder: Path


_early: list[tuple[int, _Processes, ExitStack]] = []


@contextmanager
def _early_or_new(num_workers: int) -> Iterator[_Processes]:
    if _early and _early[-1][0] == num_workers:
        _, processes, stack = _early.pop()
        with stack:
            yield processes
    else:
        with _processes(num_workers) as processes:
            yield processes


@contextmanager
def _processes(num_workers: int, module: str | None = None) -> Iterator[_Processes]:
    # The job goes through a file: handed over at the start it would go through a pipe, and Python
    # waits for ever at a full one whose reader has died while it starts.
    with tempfile.TemporaryDirectory(prefix="bertsmith-job-") as folder:
        pool = ProcessPoolExecutor(
            num_workers,
            # Not "fork": the calling process may have threads, whose locks a fork would copy held.
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_start_process,
            initargs=(folder, module),
        )
        try:
            _widen_pipes(pool)
            (Path(folder) / _LOCKS).write_text("\n".join(_locks(pool)))
            yield _Processes(pool, Path(folder))
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
    """Makes room in a pool's pipe for a result, where the system can.

    Otherwise a worker waits before its next task until the other side has read all of the result,
    64 KiB at a time.
    """
    writer = getattr(getattr(pool, "_result_queue", None), "_writer", None)
    if writer is not None:
        with suppress(AttributeError, OSError):
            fcntl.fcntl(writer.fileno(), fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


def _locks(pool: Executor) -> list[str]:
    """Names of the semaphores that a pool's pipes are locked with; processes find them by name."""
    queues = [getattr(pool, name, None) for name in ("_call_queue", "_result_queue")]
    parts = [part for queue in queues if queue is not None for part in vars(queue).values()]
    return [vars(part)["_semlock"].name for part in parts if isinstance(part, SemLock)]


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


def _submit(pool: Executor, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
    # A process that is started here inherits what is blocked. Until it ignores Ctrl-C by itself,
    # it would end with a traceback of its own; and so it would where this process is stopped
    # before it has told the new one what to do.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS)
    try:
        return pool.submit(function, *arguments)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _pickled(value: Any) -> bytes:
    return pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)


def _sent(task: bytes, path: Path) -> bytes | Path:
    """What tells a worker its task: the task, or the path of a file with it.

    A pipe holds less than a task of `prepare`. A worker that takes one out of a pipe waits until a
    thread of this process, which is at work itself, has written the rest.
    """
    if len(task) > _MOST_PIPED:
        try:
            path.write_bytes(task)
        except OSError:  # a full disk: the pipe is slower, but it will do
            path.unlink(missing_ok=True)
        else:
            return path
    return task


_folder = Path()
_job: Callable[[Any], Any] | None = None


def _start_process(folder: str, module: str | None) -> None:
    global _folder
    # Ctrl-C and the end of the terminal reach every process of it; the first one ends the others
    # in order.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    threading.Thread(target=_die_with_parent, args=(folder,), daemon=True).start()
    _folder = Path(folder)
    if module is not None:
        importlib.import_module(module)


def _do_nothing() -> None: ...


def _die_with_parent(folder: str) -> None:
    """A worker whose parent was killed would wait for work for ever, and nobody clears up."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        # Another worker may be starting, and needs what is removed here; and nobody should read of
        # what this one meets meanwhile.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        time.sleep(_SECONDS_TO_START)
        _remove_locks(Path(folder))
        shutil.rmtree(folder, ignore_errors=True)
        os._exit(1)


def _remove_locks(folder: Path) -> None:
    """Removes a dead parent's semaphores, of which Python would warn when the last worker ends."""
    with suppress(OSError):  # another worker has done it
        for name in (folder / _LOCKS).read_text().split():
            SemLock._cleanup(name)  # type: ignore[attr-defined]


def _run_in_process(task: bytes | Path) -> Any:
    global _job
    if _job is None:
        # Here, not at the start: a process that was started early was there before its job.
        _job = pickle.loads((_folder / _JOB).read_bytes())
    if isinstance(task, Path):
        path, task = task, task.read_bytes()
        path.unlink()
    return _job(pickle.loads(task))
