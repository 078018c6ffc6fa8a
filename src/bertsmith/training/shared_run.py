"""The folder of a run that several processes work on: one writes."""

import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from bertsmith.errors import CheckpointError, TrainingError
from bertsmith.training.distributed import Ranks
from bertsmith.training.model_stamp import ModelStamp
from bertsmith.training.run_folder import RunFolder

__all__ = ["FollowedRun", "held_run", "last_good_checkpoint"]

# NFS shows what another machine has made up to half a minute late.
_SEEN_SECONDS, _PAUSE_SECONDS = 35.0, 0.1


class FollowedRun(RunFolder):
    """A run's folder as ranks other than the first see it: they read, and write nothing.

    Args:
        run: what the first rank opened.
    """

    def __init__(self, run: RunFolder) -> None:
        vars(self).update(vars(run))

    def log(self, kind: str, step: int, **values: Any) -> None:
        """Does nothing."""

    def sync_log(self) -> None:
        """Does nothing."""

    def start_anew(self, warn: Callable[[str], None]) -> None:
        """Does nothing."""

    def take_log_from(self, checkpoint: Path, warn: Callable[[str], None]) -> None:
        """Does nothing."""

    def note(self, stamp: ModelStamp) -> None:
        """Does nothing."""

    def forget_after(self, step: int, *, evaluates_again: bool = False) -> None:
        """Does nothing."""

    def keep_checkpoints(self, newest: int, best_step: int | None = None) -> None:
        """Does nothing."""


@contextmanager
def held_run(output: Path, ranks: Ranks, warn: Callable[[str], None]) -> Iterator[RunFolder]:
    """Opens and locks a run's folder on the first rank; the others get a `FollowedRun`.

    Args:
        output: the folder.
        ranks: the processes of the run.
        warn: is told where the disk has no locks.

    Raises:
        TrainingError: it is no folder, another run is writing into it, or not all ranks see it.
    """
    with ExitStack() as stack:

        def open_and_lock() -> RunFolder:
            run = RunFolder(output)
            stack.enter_context(run.lock(warn))
            return run

        run = ranks.on_first(open_and_lock)
        _require_shared(run, ranks)
        yield run if ranks.is_first else FollowedRun(run)


def _require_shared(run: RunFolder, ranks: Ranks) -> None:
    """Sees that the folder which the first rank locks is the one that the others see."""
    deadline = time.monotonic() + _SEEN_SECONDS
    # `Path.exists` raises where the folder may not be looked into.
    while not (is_seen := os.access(run.lock_path, os.F_OK)) and time.monotonic() < deadline:
        time.sleep(_PAUSE_SECONDS)
    machines = ranks.gather(None if is_seen else socket.gethostname())
    for rank, machine in enumerate(machines):
        if machine is not None:
            raise TrainingError(
                f"rank {rank} ({machine}) doesn't see {run.path}, where rank 0 writes",
                fix="give a folder on a disk that all machines share",
            )


def last_good_checkpoint(
    run: RunFolder,
    ranks: Ranks,
    warn: Callable[[str], None],
    free_to_change: frozenset[str],
) -> Path | None:
    """`RunFolder.last_good_checkpoint`, looked for by the first rank and the same on all.

    Raises:
        CheckpointError: all are damaged, or this machine doesn't see what the first rank sees.
    """
    checkpoint = ranks.on_first(lambda: run.last_good_checkpoint(warn, free_to_change))
    if checkpoint is not None and not checkpoint.is_dir():
        raise CheckpointError(
            "this machine doesn't see the checkpoint that the first one goes on from",
            where=checkpoint,
            fix="put the run's folder on a disk that all machines share",
        )
    return checkpoint
