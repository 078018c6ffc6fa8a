"""Checkpoints: everything that a run needs to go on as if it had never stopped.

A checkpoint is a model folder (so it can be used as one) with three more files:
`training_state.safetensors` (optimizer moments by parameter name, random states),
`training_state.json` (step, seconds, data position, best score) and `hashes.json` (SHA-256 of
every other file). No pickle is involved.

Differs: the first design named `torch.distributed.checkpoint`; its metadata file is a pickle,
which we don't load from a user's disk. Sharded states of many ranks can keep this layout, one
safetensors file a rank.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from bertsmith._files import atomic_folder, sha256_of_file
from bertsmith.errors import CheckpointError

__all__ = ["TrainingState", "load_training_state", "save_checkpoint", "verify_checkpoint"]

_TENSORS, _STATE, _HASHES = "training_state.safetensors", "training_state.json", "hashes.json"


@dataclass
class TrainingState:
    """Where a run is.

    Attributes:
        step: optimizer updates done.
        seconds: time spent so far, over all sittings.
        batches: what the batches' `state()` gave, to go on without looking back.
        best_score: the best value of the score that selects the model, or None.
    """

    step: int = 0
    seconds: float = 0.0
    best_score: float | None = None
    batches: dict[str, Any] = field(default_factory=dict)


def save_checkpoint(
    folder: Path,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    state: TrainingState,
    save_model: Callable[[Path], None],
) -> None:
    """Writes a checkpoint beside `folder` and renames it when it is whole and synced.

    Args:
        folder: where the checkpoint shall stand.
        model: the model that `optimizer` updates; its parameter names key the moments.
        optimizer: its state is saved as tensors.
        state: step, seconds, score and data position.
        save_model: writes the model folder (weights, config, tokenizer) into a given folder.
    """
    tensors = _optimizer_tensors(model, optimizer) | _random_states()
    with atomic_folder(folder) as temporary:
        save_model(temporary)
        try:
            save_file(tensors, temporary / _TENSORS)
        except SafetensorError as error:  # what it makes of a full disk
            raise OSError(str(error)) from error
        (temporary / _STATE).write_text(json.dumps(vars(state), indent=1) + "\n")
        hashes = {file.name: sha256_of_file(file) for file in sorted(temporary.iterdir())}
        (temporary / _HASHES).write_text(json.dumps(hashes, indent=1) + "\n")


def verify_checkpoint(folder: Path) -> None:
    """Compares every file with its recorded hash.

    Raises:
        CheckpointError: a file is missing or differs; the message names it.
    """
    try:
        hashes: dict[str, str] = json.loads((folder / _HASHES).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(
            f"the checkpoint is incomplete ({_HASHES}: {type(error).__name__})", where=folder
        ) from error
    for name, expected in hashes.items():
        file = folder / name
        if not file.is_file():
            raise CheckpointError(f"the checkpoint lacks {name}", where=folder)
        if sha256_of_file(file) != expected:
            raise CheckpointError(f"{name} is damaged: its hash differs", where=folder)


def load_training_state(
    folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer
) -> TrainingState:
    """Puts the optimizer's moments and the random states back; the model is loaded before.

    Raises:
        CheckpointError: the files can't be read, or belong to a model of another shape.
    """
    try:
        tensors = load_file(folder / _TENSORS)
        state = TrainingState(**json.loads((folder / _STATE).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, SafetensorError) as error:
        raise CheckpointError(f"can't be read ({error})", where=folder) from error
    _restore_optimizer(folder, model, optimizer, tensors)
    _restore_random_states(tensors)
    return state


def _optimizer_tensors(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    return {
        f"optimizer.{key}.{name}": value.detach().cpu().contiguous()
        for name, parameter in model.named_parameters()
        for key, value in optimizer.state.get(parameter, {}).items()
    }


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
        optimizer.state.setdefault(parameter, {})[key] = value.to(parameter.device)


def _random_states() -> dict[str, Tensor]:
    states = {"random.cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        states["random.cuda"] = torch.cuda.get_rng_state()
    return states


def _restore_random_states(tensors: dict[str, Tensor]) -> None:
    torch.set_rng_state(tensors["random.cpu"])
    if "random.cuda" in tensors and torch.cuda.is_available():
        torch.cuda.set_rng_state(tensors["random.cuda"])
