"""What `_parallel` needs of Dask, imported only where a cluster is asked for."""

import logging
import socket
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from typing import Any

from distributed import Client, WorkerPlugin, get_worker
from distributed.comm.addressing import parse_address, parse_host_port
from distributed.comm.core import CommClosedError
from distributed.comm.registry import get_backend
from distributed.scheduler import KilledWorker

from bertsmith._versions import versions
from bertsmith.errors import BertsmithError, WorkerError

__all__ = ["LOSSES", "JobPlugin", "connect", "job_on_workers", "quiet_logs", "run_on_cluster"]

LOSSES: tuple[type[BaseException], ...] = (KilledWorker, CommClosedError, CancelledError)
"""What a task ends with whose workers died more often than the scheduler puts up with."""

_CONNECT_SECONDS = 10

_SAME = "install the same bertsmith, with the same extras, on all workers"


class JobPlugin(WorkerPlugin):
    """Brings a job to every worker, to those too that join the cluster later.

    Args:
        job: what the worker calls for every task.
    """

    def __init__(self, job: Callable[[Any], Any]) -> None:
        self._job, self._versions = job, versions()
        self._differing: list[str] = []

    def setup(self, worker: Any) -> None:
        """Runs in every worker before its first task: compares versions."""
        here = versions()
        self._differing = [
            f"the worker at {worker.address} has {name} {here[name]}, and this machine {version}"
            for name, version in self._versions.items()
            if here.get(name, version) != version
        ]

    def run(self, task: Any) -> Any:
        """Does one task.

        Raises:
            WorkerError: the worker's results may not be those of this machine.
        """
        if self._differing:
            raise WorkerError(self._differing[0], fix=_SAME)
        return self._job(task)


def quiet_logs() -> None:
    """Keeps Dask from logging connections that end, with tracebacks, beside the line that tells it.

    For a process that does nothing else with Dask, such as a command.
    """
    for name in list(logging.root.manager.loggerDict):
        if name.partition(".")[0] in ("distributed", "tornado"):
            logging.getLogger(name).setLevel(logging.CRITICAL)


def run_on_cluster(name: str, task: Any) -> Any:
    """Runs in a worker: does one task with the job that came under this name."""
    plugin: Any = get_worker().plugins[name]
    return plugin.run(task)


@contextmanager
def job_on_workers(client: Any, job: Callable[[Any], Any], address: str) -> Iterator[str]:
    """Brings a job to all workers, yields its name there, and takes it away again.

    Raises:
        WorkerError: a worker cannot take it, such as one without bertsmith.
    """
    name = f"bertsmith-{uuid.uuid4().hex}"
    try:
        _bring(client, name, job, address)
        yield name
    finally:
        # It holds what it remembered of the text. Where the cluster has gone, that has too.
        with suppress(Exception):
            client.unregister_worker_plugin(name)


def _bring(client: Any, name: str, job: Callable[[Any], Any], address: str) -> None:
    try:
        client.register_plugin(JobPlugin(job), name=name)
    except BertsmithError:
        raise
    except Exception as error:  # Dask tells whatever failed in a worker as a plain Exception
        raise WorkerError(
            f"the workers cannot take the job ({' '.join(str(error).split())[:200]})",
            where=f"--dask {address}",
            fix=_SAME,
        ) from error


def _reach(address: str) -> None:
    """Tries the address; a client that fails to connect tells of it once more when it is freed."""
    scheme, location = parse_address(address)
    get_backend(scheme)
    if scheme in ("tcp", "tls"):
        with socket.create_connection(parse_host_port(location, 8786), _CONNECT_SECONDS):
            pass


def connect(address: str) -> Any:
    """Connects to a scheduler that has workers.

    Raises:
        WorkerError: nobody answers at the address, or the cluster has no workers.
    """
    where = f"--dask {address}"
    try:
        _reach(address)
        client: Any = Client(  # type: ignore[no-untyped-call]
            address, timeout=_CONNECT_SECONDS, set_as_default=False
        )
    except (OSError, ValueError, TimeoutError) as error:
        raise WorkerError(
            f"no Dask scheduler answers ({' '.join(str(error).split())[:200]})",
            where=where,
            fix="check the address, and that the cluster runs",
        ) from error
    try:
        client.wait_for_workers(1, timeout=_CONNECT_SECONDS)
    except TimeoutError:
        client.close()
        raise WorkerError("the cluster has no workers", where=where, fix="start some") from None
    return client
