"""What checkpoints' folders are called, and where they stand in a run's."""

from pathlib import Path

__all__ = ["CHECKPOINT", "CHECKPOINTS", "checkpoint_folders", "step_of"]

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
