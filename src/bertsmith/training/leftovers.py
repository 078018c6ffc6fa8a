"""What runs that failed or were killed leave in their folders, and how it goes."""

from pathlib import Path

from bertsmith._files import remove, tidy
from bertsmith.training.checkpoint_folders import CHECKPOINTS

__all__ = ["remove_start", "remove_tracked", "set_right"]

# What a run and its trackers open before the first update.
_OF_TRACKERS = ("trackers.json", "tensorboard", "wandb", "mlflow.db")
_OF_START = ("recipe.yaml", "metrics.jsonl", *_OF_TRACKERS, CHECKPOINTS, ".store.json")


def remove_start(run: Path) -> None:
    """Deletes what a run left that failed at its start; somebody may have put other files there.

    Args:
        run: its folder, which held no visible file before.
    """
    for name in _OF_START:
        remove(run / name)


def remove_tracked(run: Path) -> None:
    """Deletes what trackers keep of a run: they know its recipe, and no other takes its place.

    Args:
        run: the folder of a run that was killed before it had logged an update.
    """
    for name in _OF_TRACKERS:
        remove(run / name)


def set_right(run: Path) -> None:
    """Sets right what a process that is gone left half done; see `tidy`.

    Args:
        run: the folder of its run.
    """
    for folder in (run, run / CHECKPOINTS):
        tidy(folder)
