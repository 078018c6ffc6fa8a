"""What every rank of a run must have as the first one: settings, store, data, model, and tools."""

from collections.abc import Callable, Mapping
from typing import Any

import torch

from bertsmith import __version__
from bertsmith._files import sha256_of_file
from bertsmith.errors import RecipeError
from bertsmith.model import resolve_precision
from bertsmith.model.cpu_kernels import has_cpu_kernels
from bertsmith.model.hub import find_folder
from bertsmith.training.compiling import resolve_compile
from bertsmith.training.distributed import Ranks
from bertsmith.training.run_recipe import first_difference

__all__ = ["require_alike", "weight_hashes"]

_FIXES = {
    "versions": "install the same versions on every machine",
    "run": "give every process the same files",
    "device": "give every process a GPU, or none (CUDA_VISIBLE_DEVICES='')",
    "own precision": "set training.precision=fp32",
    "own compile": "set training.compile=false",
    "C kernels": "install gcc on every machine, or set BERTSMITH_CPU_KERNELS=off on all of them",
}
_OTHER_SETTING = "give every process the same settings"


def require_alike(ranks: Ranks, content: Callable[[], Mapping[str, Any]]) -> None:
    """Refuses, on all ranks, a run whose processes were given different things.

    Machines are given software, commands and files one by one. Ranks that differ would wait for
    each other for ever, or train on what nobody wants; replicas that other versions or other
    kernels update round otherwise, and drift apart.

    Args:
        ranks: the processes of the run.
        content: gives the recipe as this rank has it, and under `run` what it is run on, by
            content: where files stand may differ. One process alone isn't asked.

    Raises:
        RecipeError: a rank has something else than the first; both values are named.
    """
    if ranks.world_size == 1:
        return
    versions = {"bertsmith": __version__, "torch": str(torch.__version__)}
    given = content()
    own = {"versions": versions, **given, **_found_here(given.get("training", {}), ranks.device)}
    wanted = ranks.on_first(lambda: own)
    for rank, difference in enumerate(ranks.gather(first_difference(own, wanted))):
        if difference is not None:
            part = difference.partition(" = ")[0].partition(".")[0]
            told = difference.removeprefix("run.").removeprefix("versions.")
            raise RecipeError(
                f"rank {rank} has {told} as rank 0", fix=_FIXES.get(part, _OTHER_SETTING)
            )


def _found_here(settings: Mapping[str, Any], device: torch.device) -> dict[str, Any]:
    """What a machine has and makes of "auto".

    On CPUs replicas are updated by kernels or without; of shards each weight is updated once.
    """
    found: dict[str, Any] = {"device": device.type}
    if settings.get("precision") == "auto":
        found["own precision"] = resolve_precision("auto", device)
    if settings.get("compile") == "auto":
        found["own compile"] = resolve_compile("auto", device)
    if device.type == "cpu" and settings.get("parallel") != "fsdp":
        found["C kernels"] = has_cpu_kernels()
    return found


def weight_hashes(source: str) -> dict[str, str]:
    """The SHA-256 of a model's files of weights, by name.

    Args:
        source: model folder or hub id.
    """
    return {
        path.name: sha256_of_file(path)
        for path in sorted(find_folder(source).iterdir())
        if path.suffix in (".safetensors", ".bin") and not path.name.startswith("training_state")
    }
