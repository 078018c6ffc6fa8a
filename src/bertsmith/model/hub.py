"""Where a model is: a folder on disk, or a repository on the Hugging Face hub."""

import re
from pathlib import Path

from bertsmith.errors import ModelError

__all__ = ["SMALL_FILES", "find_folder"]

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
#: Patterns of what a model folder has beside its weights.
SMALL_FILES = ["config.json", "vocab.txt", "tokenizer*.json", "special_tokens_map.json"]
_SAFETENSORS = ["model.safetensors", "model.safetensors.index.json", "model-*.safetensors"]
_PICKLES = ["pytorch_model.bin", "pytorch_model.bin.index.json", "pytorch_model-*.bin"]


def find_folder(path_or_hub_id: str | Path) -> Path:
    """Returns the folder of a model, fetched from the hub if there is none of that name on disk.

    Raises:
        ModelError: if it is neither, or the hub doesn't give it.
    """
    path = Path(path_or_hub_id)
    if path.is_dir():
        return path
    if path.exists():
        raise ModelError("is a file", where=path, fix="give the folder that it is in")
    if isinstance(path_or_hub_id, Path) or not _HUB_ID.fullmatch(path_or_hub_id):
        raise ModelError("no such folder", where=path)
    return _fetch(path_or_hub_id)


def _fetch(hub_id: str) -> Path:
    from huggingface_hub import snapshot_download

    try:
        folder = Path(snapshot_download(hub_id, allow_patterns=SMALL_FILES + _SAFETENSORS))
        if not any(folder.glob("*.safetensors")):
            folder = Path(snapshot_download(hub_id, allow_patterns=_PICKLES))
    except Exception as error:  # the hub's client lets the errors of many libraries through
        reason = str(error).partition("\n")[0]
        raise ModelError(
            f"no such folder, and the hub doesn't give it ({type(error).__name__}: {reason})",
            where=hub_id,
        ) from error
    return folder
