"""What runs that failed or were killed leave in their folders, and how it goes."""

import shutil
from contextlib import suppress
from pathlib import Path

from bertsmith.training.checkpoint_folders import CHECKPOINTS

__all__ = ["remove_leftovers", "remove_start"]

# What a run and its trackers open before the first update.
_OF_START = (
    "recipe.yaml",
    "metrics.jsonl",
    "trackers.json",
    "tensorboard",
    "wandb",
    "mlflow.db",
    CHECKPOINTS,
    ".store.json",
)


def remove_start(run: Path) -> None:
    """Deletes what a run left that failed at its start; somebody may have put other files there.

    Args:
        run: its folder, which held no visible file before.
    """
    for name in _OF_START:
        _remove(run / name)


def remove_leftovers(run: Path) -> None:
    """Deletes half-written files of a process that is gone; what can't be deleted is in no way.

    Args:
        run: the folder of its run.
    """
    for folder in (run, run / CHECKPOINTS):
        for path in folder.glob(".*.tmp"):
            _remove(path)


def _remove(path: Path) -> None:
    is_folder = path.is_dir() and not path.is_symlink()
    with suppress(OSError):
        shutil.rmtree(path, ignore_errors=True) if is_folder else path.unlink(missing_ok=True)
