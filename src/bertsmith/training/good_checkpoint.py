"""Which checkpoint a run goes on from: the newest that is whole, and its own."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bertsmith.errors import CheckpointError
from bertsmith.training.checkpoint import verify_checkpoint
from bertsmith.training.run_recipe import first_difference, read_recipe

__all__ = ["newest_good"]

#: How many damaged checkpoints an error names.
_SHOWN = 3


def newest_good(
    folders: Sequence[Path],
    recipe: Callable[[], dict[str, Any]],
    *,
    warn: Callable[[str], None],
    free_to_change: frozenset[str],
) -> Path | None:
    """The first checkpoint whose hashes hold; None where there is none at all.

    Args:
        folders: a run's checkpoints, newest first.
        recipe: reads the run's recipe.
        warn: is told about each damaged checkpoint that is passed over.
        free_to_change: paths of settings that may differ from the checkpoint's.

    Raises:
        CheckpointError: all are damaged, or the newest good one is of another recipe.
    """
    damages: list[CheckpointError] = []
    for folder in folders:
        try:
            verify_checkpoint(folder)
        except CheckpointError as error:
            damages.append(error)
            continue
        _require_own(folder, recipe, free_to_change)
        for damage in damages:
            warn(f"{damage}; going on from {folder.name}, the last good one")
        return folder
    if damages:
        told = [f"{Path(str(error.where)).name}: {error.what}" for error in damages[:_SHOWN]]
        more = ["..."] if len(damages) > _SHOWN else []
        which = f"none of the {len(damages)} checkpoints" if damages[1:] else "the only checkpoint"
        can = "can" if damages[1:] else "can't"
        raise CheckpointError(
            f"{which} {can} be used ({', '.join(told + more)})",
            where=folders[0].parent,
            fix="copy one back from elsewhere, or give another output folder to start anew",
        )
    return None


def _require_own(
    checkpoint: Path, recipe: Callable[[], dict[str, Any]], free_to_change: frozenset[str]
) -> None:
    """A checkpoint that was put here from another run must not be gone on from."""
    path = checkpoint / "recipe.yaml"
    if not path.exists():
        return
    difference = first_difference(read_recipe(path), recipe(), free_to_change)
    if difference:
        raise CheckpointError(
            f"is a checkpoint of another run: its recipe has {difference}",
            where=checkpoint,
            fix="move it out of this run's folder",
        )
