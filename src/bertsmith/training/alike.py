"""What every rank of a run must have as the first one: settings, store, data, and the model."""

from collections.abc import Callable, Mapping
from typing import Any

from bertsmith._files import sha256_of_file
from bertsmith.errors import RecipeError
from bertsmith.model.hub import find_folder
from bertsmith.training.distributed import Ranks
from bertsmith.training.run_recipe import first_difference

__all__ = ["require_alike", "weight_hashes"]


def require_alike(ranks: Ranks, content: Callable[[], Mapping[str, Any]]) -> None:
    """Refuses, on all ranks, a run whose processes were given different things.

    Machines are given commands and files one by one. Ranks that differ would wait for each other
    for ever, or train on what nobody wants.

    Args:
        ranks: the processes of the run.
        content: gives the recipe as this rank has it, and under `run` what it is run on, by
            content: where files stand may differ. One process alone isn't asked.

    Raises:
        RecipeError: a rank has something else than the first; both values are named.
    """
    if ranks.world_size == 1:
        return
    own = content()
    wanted = ranks.on_first(lambda: own)
    for rank, difference in enumerate(ranks.gather(first_difference(own, wanted))):
        if difference is not None:
            path = difference.partition(" = ")[0]
            what = "files" if path.startswith("run.") else "settings"
            raise RecipeError(
                f"rank {rank} has {difference.removeprefix('run.')} as rank 0",
                fix=f"give every process the same {what}",
            )


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
