"""What commands that train have to say."""

from pathlib import Path
from typing import TYPE_CHECKING

from bertsmith._words import counted
from bertsmith.cli.output import warn

if TYPE_CHECKING:
    from bertsmith.training import TrainingState

__all__ = ["warn_of_frozen_noise", "warn_of_stop", "where_it_ended"]


def warn_of_frozen_noise(run: Path, freeze_layers: int | None, fix: str) -> None:
    """Warns of layers that are frozen where they are fresh, and never learn anything.

    A run that goes on was told when it began.

    Args:
        run: its folder, or where it will be.
        freeze_layers: the run's setting.
        fix: what to do instead.
    """
    from bertsmith.training import RunFolder

    if freeze_layers is not None and not RunFolder(run).recipe_path.exists():
        layers = f" and {counted(freeze_layers, 'layer')}" if freeze_layers else ""
        what = f"the embeddings{layers}"
        warn(f"training.freeze_layers={freeze_layers}: {what} stay at their random weights; {fix}")


def warn_of_stop(run: Path) -> None:
    """Says what is kept of a run that stopped at once, as at a second Ctrl-C.

    Args:
        run: its folder.
    """
    from bertsmith.training import RunFolder

    is_saved = bool(RunFolder(run).checkpoints())
    from_there = "the same command goes on from its last checkpoint"
    warn(f"stopped at once; {from_there if is_saved else 'nothing is kept'}")


def where_it_ended(state: "TrainingState") -> dict[str, float]:
    """What --json says of a run's end beside its scores.

    Args:
        state: a result's, in which the log's numbers stand.
    """
    return {"step": state.step, "seconds": state.seconds, "num_skipped": state.num_skipped}
