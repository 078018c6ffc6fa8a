"""What Gloo does that nobody asked for: it prints, and its threads outlive what they did."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

__all__ = ["quiet_gloo", "wait_for_gloo_threads"]

_TASKS = Path("/proc/self/task")
_NAME = "pt_gloo_runloop"
# A thread that holds a lock of the others runs, or soon will: so all of them are seen asleep twice.
_TIMES_ASLEEP = 2
_PAUSE_SECONDS = 0.002


@contextmanager
def quiet_gloo() -> Iterator[None]:
    """Keeps from results what Gloo prints when a group begins: it goes to standard error.

    PyTorch 2.10's alone prints, who is connected.
    """
    if not torch.__version__.startswith("2.10."):
        yield
        return
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def wait_for_gloo_threads(seconds: float = 10.0) -> None:
    """Waits until no thread of a Gloo group is at work.

    A thread tells that a collective operation is done, and lets go of its tensors a moment later:
    much later where every core is busy. If Python ends in between, and has seen the tensors, the
    process aborts ("terminate called without an active exception"). Groups end their threads when
    they are freed, but FSDP's shards keep theirs.

    On Linux only; elsewhere nothing tells what a thread does, and nobody waits. Nor does anybody
    with PyTorch 2.10, whose threads have no names.

    Args:
        seconds: the longest it may take; an operation that never ends keeps a thread for ever.

    Example:
        >>> wait_for_gloo_threads()
    """
    deadline = time.monotonic() + seconds
    times_asleep = 0
    while times_asleep < _TIMES_ASLEEP and time.monotonic() < deadline:
        states = _states()
        if not states:
            return
        times_asleep = times_asleep + 1 if states == {"S"} else 0
        time.sleep(_PAUSE_SECONDS)


def _states() -> set[str]:
    """What the threads of all groups do: "R" (runs, or could), "S" (sleeps) and others."""
    states = set()
    for status in _TASKS.glob("*/stat"):
        try:
            _, name, state = status.read_text(errors="replace").replace(")", "(").split("(", 2)
        except OSError:  # it has ended since
            continue
        if name == _NAME:
            states.add(state.split()[0])
    return states
