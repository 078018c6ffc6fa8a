"""One way to spread work over processes or a cluster: results in order, dead workers replaced."""

import fcntl
import multiprocessing
import os
import pickle
import signal
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any, Generic, TypeVar

from bertsmith.errors import WorkerError

__all__ = ["Workers", "num_processors", "ordered_map"]

Task = TypeVar("Task")
Result = TypeVar("Result")

_TRIES = 3
# The most that Linux gives to those who aren't root.
_PIPE_BYTES = 2**20


@dataclass(frozen=True)
class Workers:
    """Where work is done.

    Attributes:
        num_workers: processes on this machine, the calling one among them; None is one for each
            processor.
        dask: address of a Dask scheduler, such as "tcp://10.0.0.1:8786"; its workers do the work
            instead. They need bertsmith installed.
    """

    num_workers: int | None = None
    dask: str | None = None


def num_processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def ordered_map(
    job: Callable[[Task], Result], tasks: Iterable[Task], workers: Workers | None = None
) -> Iterator[Result]:
    """Yields `job(task)` for every task, in the order of the tasks, whoever works them out.

    Tasks are taken only as they are needed, about three for each worker, so that their number
    doesn't matter. A worker that dies is replaced, and what it was at is done again. Of processes
    on this machine the calling one is a worker too: it works whenever the others have enough.

    Args:
        job: a picklable callable. It is sent to every worker once, so it may hold what is dear to
            build; it must give the same result wherever and however often it is called.
        tasks: its arguments, picklable; the iterable is read in this thread.
        workers: where to work; one process for each processor where None.

    Raises:
        WorkerError: workers die again and again, or the cluster cannot be reached.

    Example:
        >>> list(ordered_map(abs, [-1, 2, -3], Workers(1)))
        [1, 2, 3]
    """
    workers = workers or Workers()
    num_workers = num_processors() if workers.num_workers is None else workers.num_workers
    if workers.dask is not None:
        return _spread(tasks, _Team(lambda: _on_cluster(job, str(workers.dask))))
    if num_workers <= 1:
        return map(job, tasks)
    return _spread(tasks, _Team(lambda: _in_processes(job, num_workers - 1)), here=job)


@dataclass
class _Crew:
    """Workers that are there.

    Attributes:
        size: how many there are.
        submit: hands a task to one of them.
        losses: what is raised where a worker was lost, and with it the crew.
    """

    size: int
    submit: Callable[[Any], Future[Any]]
    losses: tuple[type[BaseException], ...] = (BrokenExecutor,)


class _Team(Generic[Task]):
    """A crew of workers that is replaced when it breaks.

    Args:
        hire: gives a context in which there is a crew.
    """

    def __init__(self, hire: Callable[[], Any]) -> None:
        self._hire = hire
        self._stack = ExitStack()
        self._waiting = deque[tuple[Task, Future[Any]]]()
        self._num_losses = 0
        self._crew: _Crew = self._stack.enter_context(hire())

    @property
    def is_busy(self) -> bool:
        """Whether every worker has the next two tasks waiting.

        One isn't enough: the calling process may be in the middle of a task of its own for as
        long as a worker takes for two.
        """
        under_way = sum(not future.done() for _, future in self._waiting)
        return under_way >= 3 * self._crew.size

    @property
    def has_result(self) -> bool:
        """Whether the oldest task is done, or so many are waiting for it that it must be."""
        if len(self._waiting) > 6 * self._crew.size:
            return True
        return bool(self._waiting) and self._waiting[0][1].done()

    def __len__(self) -> int:
        return len(self._waiting)

    def work_here(self, job: Callable[[Task], Any], task: Task) -> None:
        """Does a task in this process; an error comes out in its turn."""
        future = Future[Any]()
        try:
            future.set_result(job(task))
        except Exception as error:
            future.set_exception(error)
        self._waiting.append((task, future))

    def submit(self, task: Task) -> None:
        """Hands a task to a worker."""
        try:
            self._waiting.append((task, self._crew.submit(task)))
        except self._crew.losses as error:
            self._replace(error)
            self.submit(task)

    def next_result(self) -> Any:
        """The result of the oldest task under way."""
        while True:
            try:
                result = self._waiting[0][1].result()
            except self._crew.losses as error:
                self._replace(error)
                continue
            self._waiting.popleft()
            self._num_losses = 0
            return result

    def _replace(self, error: BaseException) -> None:
        """Hires another crew and gives it everything that isn't done."""
        self._num_losses += 1
        if self._num_losses >= _TRIES:
            raise WorkerError(
                f"workers died {_TRIES} times at the same piece of work, probably for want of "
                "memory",
                fix="give fewer --workers (or, in a script of your own, start the work under "
                'if __name__ == "__main__")',
            ) from error
        self._stack.close()
        self._crew = self._stack.enter_context(self._hire())
        try:
            for place, (task, future) in enumerate(self._waiting):
                if not future.done() or future.cancelled() or future.exception() is not None:
                    self._waiting[place] = task, self._crew.submit(task)
        except self._crew.losses as lost:  # the new crew is lost already
            self._replace(lost)

    def dismiss(self) -> None:
        """Sends the workers home; what is under way is given up."""
        self._stack.close()


def _spread(
    tasks: Iterable[Task], team: _Team[Task], here: Callable[[Task], Any] | None = None
) -> Iterator[Any]:
    """Hands tasks to a team, and does some in this process too if told how."""
    try:
        for task in tasks:
            if here is not None and team.is_busy:
                team.work_here(here, task)
            else:
                team.submit(task)
            while team.has_result or (here is None and team.is_busy):
                yield team.next_result()
        while len(team):
            yield team.next_result()
    finally:
        team.dismiss()


@contextmanager
def _in_processes(job: Callable[[Any], Any], num_workers: int) -> Iterator[_Crew]:
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
                yield _Crew(num_workers, lambda task: _submit(pool, task))
        finally:
            pool.shutdown(cancel_futures=True)


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


@contextmanager
def _on_cluster(job: Callable[[Any], Any], address: str) -> Iterator[_Crew]:
    try:
        from bertsmith._dask import LOSSES, connect, job_on_workers, run_on_cluster
    except ImportError:
        raise WorkerError(
            "Dask is not installed", where=f"--dask {address}", fix="pip install 'bertsmith[dask]'"
        ) from None
    client = connect(address)
    try:
        with job_on_workers(client, job, address) as name:
            executor = client.get_executor(pure=False)
            size = sum(client.nthreads().values())
            yield _Crew(size, lambda task: executor.submit(run_on_cluster, name, task), LOSSES)
    finally:
        client.close()
