"""What checkpoints' folders are called, where they stand in a run's, and how they go."""

import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

__all__ = ["CHECKPOINT", "CHECKPOINTS", "checkpoint_folders", "remove_checkpoints", "step_of"]

#: The folder of all, and the start of the name of one.
CHECKPOINTS, CHECKPOINT = "checkpoints", "step-"


def step_of(checkpoint: Path) -> int:
    """The step that a checkpoint is of.

    Example:
        >>> step_of(Path("run/checkpoints/step-000123"))
        123
    """
    return int(checkpoint.name.removeprefix(CHECKPOINT))


def checkpoint_folders(run: Path) -> list[Path]:
    """All checkpoints of a run, newest first, good or not; what else stands there doesn't count.

    Args:
        run: the run's folder.
    """
    folders = (run / CHECKPOINTS).glob(f"{CHECKPOINT}*")
    own = [path for path in folders if path.name.removeprefix(CHECKPOINT).isdecimal()]
    return sorted(own, key=step_of, reverse=True)


def remove_checkpoints(run: Path, old: Iterable[Path]) -> None:
    """Deletes checkpoints while none is being written, and what is left of earlier ones.

    What can't be deleted now, such as files on NFS that somebody reads, is left for the next call.

    Args:
        run: the run's folder.
        old: the checkpoints.
    """
    for folder in old:
        with suppress(OSError):
            # Renamed first, so that no half of a checkpoint counts as one.
            folder.rename(folder.with_name(f".{folder.name}.tmp"))
    for folder in (run / CHECKPOINTS).glob(f".{CHECKPOINT}*.tmp"):
        shutil.rmtree(folder, ignore_errors=True)
