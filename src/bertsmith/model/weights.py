"""Files of weights: safetensors and PyTorch pickles, whole or in shards."""

import json
import os
import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from bertsmith._files import atomic_file
from bertsmith.errors import ModelError

__all__ = ["read_json", "read_weights", "save_tensors", "write_weights"]

#: Where weights may lie, the best first.
_CANDIDATES = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)
_DAMAGED = "is damaged or cut short"


def read_weights(folder: Path) -> tuple[Path, dict[str, Tensor]]:
    """Reads all weights of a folder.

    Returns:
        The file (or index of shards) that they come from, and the tensors by name.

    Raises:
        ModelError: if there are none, or a file is missing, damaged, refused or not finite.
    """
    for name in _CANDIDATES:
        path = folder / name
        if path.is_file():
            shards = _shards(path) if path.suffix == ".json" else [path]
            return path, {key: value for shard in shards for key, value in _read(shard).items()}
    raise ModelError("has no model.safetensors and no pytorch_model.bin", where=folder)


def write_weights(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Writes a safetensors file, whole or not at all."""
    with atomic_file(path) as temporary:
        save_tensors(temporary, tensors)


def save_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Writes a safetensors file.

    Raises:
        OSError: the disk is full, or can't be written to.
    """
    try:
        # `transformers` refuses a file that doesn't say which library its tensors are for.
        save_file(dict(tensors), path, metadata={"format": "pt"})
    except SafetensorError as error:
        number = re.search(r"os error (\d+)", str(error))
        if number is None:
            raise OSError(str(error)) from error
        raise OSError(int(number[1]), os.strerror(int(number[1])), str(path)) from error


def read_json(path: Path) -> dict[str, Any]:
    """Reads a JSON object.

    Raises:
        ModelError: if the file is missing, or isn't a JSON object.
    """
    try:
        value = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise ModelError("is missing", where=path, fix="give a folder of a BERT model") from error
    except OSError as error:
        raise ModelError(f"can't be read ({error.strerror})", where=path) from error
    except ValueError as error:
        fix = "copy it back from elsewhere: a checkpoint of the run, say, has a copy"
        raise ModelError(f"is not JSON ({error})", where=path, fix=fix) from error
    if not isinstance(value, dict):
        raise ModelError("is not a JSON object", where=path)
    return value


def _shards(index: Path) -> list[Path]:
    weight_map = read_json(index).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise ModelError("has no weight_map", where=index)
    names = sorted({str(name) for name in weight_map.values()})
    for name in names:
        # An index is data: it may not point outside its folder.
        if Path(name).name != name:
            raise ModelError(f"names a shard {name!r} outside the folder", where=index)
        if not (index.parent / name).is_file():
            raise ModelError(f"names a shard {name!r} that is missing", where=index)
    return [index.parent / name for name in names]


def _read(path: Path) -> dict[str, Tensor]:
    tensors = _read_safetensors(path) if path.suffix == ".safetensors" else _read_pickle(path)
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not tensor.isfinite().all():
            raise ModelError(f"{name} holds NaN or infinity", where=path)
    return tensors


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return dict(load_file(path))
    except (SafetensorError, OSError, ValueError) as error:
        raise ModelError(f"{_DAMAGED} ({error})", where=path) from error


def _read_pickle(path: Path) -> dict[str, Tensor]:
    try:
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ModelError(
            "is damaged, or holds more than plain tensors, which could run code",
            where=path,
            fix="give a safetensors file",
        ) from error
    except (RuntimeError, OSError, EOFError, ValueError, KeyError, TypeError) as error:
        raise ModelError(_DAMAGED, where=path) from error
    if not isinstance(loaded, dict) or not all(isinstance(x, Tensor) for x in loaded.values()):
        raise ModelError("doesn't hold tensors by name", where=path)
    return {str(name): tensor.detach() for name, tensor in loaded.items()}
