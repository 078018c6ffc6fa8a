"""What commands ask of a model's folder before it is opened."""

import glob
from pathlib import Path

from bertsmith.cli.output import warn
from bertsmith.errors import ModelError

__all__ = ["check_model", "files_of_model"]

# Also what makes a run's folder: its recipe, log, checkpoints and lock.
_FILES = (
    *("*.json", "*.safetensors", "*.bin", "vocab.txt"),
    *("recipe.yaml", "metrics.jsonl", "checkpoints/**", "tensorboard/**", ".*"),
)


def files_of_model(model: str) -> list[str]:
    """Globs of the files that make a model, or a run, what it is; none is ever written over.

    Args:
        model: a folder, or a hub id, for which they match nothing.
    """
    return [str(Path(glob.escape(model)) / pattern) for pattern in _FILES]


def check_model(model: str) -> None:
    """Looks whether a model is that of a run that isn't finished.

    Where there is none yet the run's newest checkpoint is named; where it may yet be replaced by a
    better one, a line says of which update it is.

    Args:
        model: a folder, or a hub id, which is passed over.

    Raises:
        ModelError: the folder is of a run that has no model yet.
    """
    folder = Path(model)
    if not ((folder / "checkpoints").is_dir() or (folder / "metrics.jsonl").is_file()):
        return
    from bertsmith.training import RunFolder

    run = RunFolder(folder)
    if not (folder / "config.json").exists():
        if checkpoints := run.checkpoints():
            what = "is a run that was stopped and has no model yet"
            raise ModelError(what, where=model, fix=f"give its checkpoint {checkpoints[0]}")
        return
    stamp = run.stamp
    if stamp is not None and not run.is_finished:
        best = f"; its model is the best so far, of step {stamp.step}"
        told = best if stamp.sha256 else ", and its model is going to be replaced"
        warn(f"{model}: this run isn't finished{told}")
