"""Checkpoints: everything that a run needs to go on as if it had never stopped.

A checkpoint is a model folder (so it can be used as one) with five more files:
`training_state.safetensors` (optimizer moments by parameter name, random states),
`training_state.json` (step, seconds, data position, best score), `recipe.yaml` and `metrics.jsonl`
(the run's) and `hashes.json` (SHA-256 of every other file). No pickle is involved.

Differs: the first design named `torch.distributed.checkpoint`; its metadata file is a pickle,
which we don't load from a user's disk. The files are the same for any number of ranks: the first
one writes them, with whole tensors.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from bertsmith._files import atomic_folder, sha256_of_file
from bertsmith.errors import CheckpointError
from bertsmith.model.weights import save_tensors
from bertsmith.training.distributed import Ranks
from bertsmith.training.full_tensors import sharded_like
from bertsmith.training.random_states import restore_random_states
from bertsmith.training.snapshot import Snapshot, TrainingState

__all__ = [
    "SaveModel",
    "is_sound",
    "load_training_state",
    "verify_checkpoint",
    "write_checkpoint",
]

_TENSORS, _STATE, _HASHES = "training_state.safetensors", "training_state.json", "hashes.json"

#: Writes a model folder (weights, config, tokenizer): the folder, and the weights to write.
SaveModel = Callable[[Path, Mapping[str, Tensor]], None]


def write_checkpoint(
    folder: Path,
    snapshot: Snapshot,
    save_model: SaveModel,
    texts: Mapping[str, bytes] | None = None,
) -> None:
    """Writes a checkpoint beside `folder` and renames it when it is whole and synced.

    Args:
        folder: where the checkpoint shall stand.
        snapshot: the run as it stood.
        save_model: writes the model folder.
        texts: further files by name: the run's recipe and log.

    Raises:
        OSError: the disk is full, or can't be written to; nothing stands at `folder` then.
    """
    snapshot.wait()
    with atomic_folder(folder) as temporary:
        save_model(temporary, snapshot.weights)
        save_tensors(temporary / _TENSORS, snapshot.tensors)
        (temporary / _STATE).write_text(json.dumps(vars(snapshot.state), indent=1) + "\n")
        for name, text in (texts or {}).items():
            (temporary / name).write_bytes(text)
        hashes = {file.name: sha256_of_file(file) for file in sorted(temporary.iterdir())}
        (temporary / _HASHES).write_text(json.dumps(hashes, indent=1) + "\n")


def verify_checkpoint(folder: Path) -> None:
    """Compares every file with its recorded hash.

    Raises:
        CheckpointError: a file is missing or differs; the message names it.
    """
    try:
        hashes: dict[str, str] = json.loads((folder / _HASHES).read_text(encoding="utf-8"))
        expected_of = dict(hashes)
        if not {_TENSORS, _STATE} <= expected_of.keys():
            raise ValueError  # it doesn't name the files
    except (OSError, ValueError, TypeError) as error:
        raise CheckpointError(
            f"the checkpoint is incomplete ({_HASHES}: {type(error).__name__})", where=folder
        ) from error
    for name, expected in expected_of.items():
        file = folder / name
        if not file.is_file():
            raise CheckpointError(f"the checkpoint lacks {name}", where=folder)
        if sha256_of_file(file) != expected:
            raise CheckpointError(f"{name} is damaged: its hash differs", where=folder)


def is_sound(folder: Path) -> bool:
    """Whether every file of a checkpoint has its recorded hash."""
    try:
        verify_checkpoint(folder)
    except CheckpointError:
        return False
    return True


def load_training_state(
    folder: Path,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    ranks: Ranks | None = None,
    *,
    seed: int = 0,
) -> tuple[TrainingState, dict[str, Tensor]]:
    """Puts the optimizer's moments and the random states back; the model is loaded before.

    Args:
        folder: the checkpoint.
        model: the model that `optimizer` updates.
        optimizer: gets its moments.
        ranks: the processes of the run.
        seed: the run's, for random states of another number of ranks.

    Returns:
        Where the run was, and all tensors of the training state by name.

    Raises:
        CheckpointError: the files can't be read, or belong to a model of another shape.
    """
    try:
        tensors = load_file(folder / _TENSORS)
        state = TrainingState(**json.loads((folder / _STATE).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, SafetensorError) as error:
        raise CheckpointError(f"can't be read ({error})", where=folder) from error
    _restore_optimizer(folder, model, optimizer, tensors)
    restore_random_states(tensors, ranks or Ranks(), seed, state.step)
    return state, tensors


def _restore_optimizer(
    folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]
) -> None:
    parameters = dict(model.named_parameters())
    for full_name, value in tensors.items():
        if not full_name.startswith("optimizer."):
            continue
        _, key, name = full_name.split(".", 2)
        parameter = parameters.get(name)
        if parameter is None or (value.ndim and value.shape != parameter.shape):
            raise CheckpointError(f"its optimizer state {name} fits no parameter", where=folder)
        # The fused optimizer wants its step count, too, where the parameter is.
        optimizer.state.setdefault(parameter, {})[key] = sharded_like(parameter, value)
