"""Measuring a function in a fresh process: time on some cores, and memory of all its processes."""

import multiprocessing
import os
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import psutil

__all__ = ["Measurement", "alternate", "measure", "median"]


@dataclass(frozen=True)
class Measurement:
    """What a function returned, and what it took.

    Attributes:
        result: what it returned: its own measured seconds, mostly.
        peak_bytes: most memory at a moment, of its process and those that it started, together.
        peak_bytes_of_one: most memory of a single one of them.
    """

    result: Any
    peak_bytes: int
    peak_bytes_of_one: int


def measure(function: Callable[..., Any], *arguments: object, cores: int = 1) -> Measurement:
    """Calls a module's function in a process of its own that may use so many cores."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_call, args=(sender, function, arguments, cores))
    process.start()
    sender.close()
    done = threading.Event()
    peaks = [0, 0]
    watcher = threading.Thread(target=_watch, args=(process.pid, done, peaks))
    watcher.start()
    try:
        result = receiver.recv()
    finally:
        process.join()
        done.set()
        watcher.join()
    if isinstance(result, BaseException):
        raise result
    return Measurement(result, *peaks)


def alternate(functions: Sequence[Callable[[], float]], rounds: int) -> list[list[float]]:
    """Calls functions in turn, so that a machine's moods hit all of them alike."""
    results: list[list[float]] = [[] for _ in functions]
    for _ in range(rounds):
        for result, function in zip(results, functions, strict=True):
            result.append(function())
    return results


def median(values: Sequence[float]) -> float:
    """The median."""
    return statistics.median(values)


def _call(
    sender: Any, function: Callable[..., Any], arguments: tuple[object, ...], cores: int
) -> None:
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
    os.environ["TOKENIZERS_PARALLELISM"] = "false" if cores == 1 else "true"
    os.environ["OMP_NUM_THREADS"] = str(cores)
    try:
        sender.send(function(*arguments))
    except BaseException as error:
        sender.send(error)


def _watch(pid: int | None, done: threading.Event, peaks: list[int]) -> None:
    parent = psutil.Process(pid)
    while not done.is_set():
        sizes = []
        try:
            for process in [parent, *parent.children(recursive=True)]:
                sizes.append(_own_bytes(process))
        except psutil.NoSuchProcess:
            pass
        if sizes:
            peaks[0] = max(peaks[0], sum(sizes))
            peaks[1] = max(peaks[1], max(sizes))
        time.sleep(0.2)


def _own_bytes(process: psutil.Process) -> int:
    """Resident memory without files that are only mapped, which the system may drop."""
    info = process.memory_info()
    return int(info.rss - getattr(info, "shared", 0))
