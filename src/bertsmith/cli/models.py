"""What commands ask of a model's folder before it is opened."""

import glob
from pathlib import Path

from bertsmith.errors import ModelError

__all__ = ["files_of_model", "refuse_stopped_run"]

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


def refuse_stopped_run(model: str) -> None:
    """Refuses the folder of a run that has no model yet, and names its newest checkpoint.

    Args:
        model: a folder, or a hub id, which is passed over.

    Raises:
        ModelError: it is such a folder.
    """
    folder = Path(model)
    if (folder / "config.json").exists() or not (folder / "checkpoints").is_dir():
        return
    from bertsmith.training import RunFolder

    if checkpoints := RunFolder(folder).checkpoints():
        what = "is a run that was stopped and has no model yet"
        raise ModelError(what, where=model, fix=f"give its checkpoint {checkpoints[0]}")
