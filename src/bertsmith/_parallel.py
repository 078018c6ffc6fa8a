"""One way to spread work over processes or a cluster: results in order, dead workers replaced."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from bertsmith._worker_processes import Crew, crew_of_processes, early_processes
from bertsmith.errors import WorkerError

__all__ = ["LITTLE_BYTES", "Workers", "num_processors", "ordered_map", "started_early"]

Task = TypeVar("Task")
Result = TypeVar("Result")

LITTLE_BYTES = 2**20
"""Less text than that, in bytes on disk, is not worth the start of a process."""

_TRIES = 3
# Results that wait for an older one, for each worker. A new process takes as long as five tasks of
# `prepare` to start; whoever works here meanwhile shouldn't have to stop.
_MOST_WAITING = 12


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

    Tasks are taken only as they are needed, a dozen for each worker at most, so that their number
    doesn't matter. A worker that dies is replaced, and what it was at is done again. Of processes
    on this machine the calling one is a worker too: it works whenever the others have enough, and
    at the end it does what they haven't got to.

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
    return _spread(tasks, _Team(lambda: crew_of_processes(job, num_workers - 1)), here=job)


@contextmanager
def started_early(workers: Workers, module: str) -> Iterator[None]:
    """Starts the processes of this machine now, for the first `ordered_map` of the body.

    They start while the body finds out what there is to do.

    Args:
        workers: the same as that `ordered_map` gets.
        module: what its job needs most: its imports are what takes time.
    """
    number = num_processors() if workers.num_workers is None else workers.num_workers
    if workers.dask is not None or number <= 1:
        yield
    else:
        with early_processes(number - 1, module):
            yield


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
        self._given_up = list[Future[Any]]()
        self._crew: Crew = self._stack.enter_context(hire())

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
        if len(self._waiting) > _MOST_WAITING * self._crew.size:
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

    def relieve(self, job: Callable[[Task], Any]) -> bool:
        """Does the youngest task under way in this process, if all workers are at older ones.

        A worker may have got to it by then: whoever is first with a result is taken.

        Returns:
            Whether there was something to do.
        """
        under_way = [i for i, (_, future) in enumerate(self._waiting) if not future.done()]
        if len(under_way) <= self._crew.size:
            return False
        task, future = self._waiting[under_way[-1]]
        try:
            result = job(task)
        except Exception:
            return False  # the worker will meet it too, and its error comes out in its turn
        if not future.done():
            mine = Future[Any]()
            mine.set_result(result)
            self._waiting[under_way[-1]] = task, mine
            self._given_up.append(future)
        return True

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
        futures = [*self._given_up, *(future for _, future in self._waiting)]
        if not all(future.done() for future in futures):
            self._crew.abandon()
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
            while here is not None and not team.has_result and team.relieve(here):
                pass
            yield team.next_result()
    finally:
        team.dismiss()


@contextmanager
def _on_cluster(job: Callable[[Any], Any], address: str) -> Iterator[Crew]:
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
            yield Crew(size, lambda task: executor.submit(run_on_cluster, name, task), LOSSES)
    finally:
        client.close()
