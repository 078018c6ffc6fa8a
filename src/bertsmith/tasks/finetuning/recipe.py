"""The recipe of a fine-tuning run."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from bertsmith._settings import Settings
from bertsmith.model.hub import find_folder
from bertsmith.model.pretrained import read_config
from bertsmith.training import LoopSettings

__all__ = ["FinetuneRecipe", "FinetuneTraining", "recipe_for", "with_epochs"]

# What the preset had until November 2026, whatever the task.
_OF_OLDER = 3.0


class FinetuneTraining(LoopSettings):
    """The loop of a fine-tuning run; the defaults are from the paper's grid."""

    learning_rate: float = Field(3e-5, gt=0, description="peak learning rate")
    num_epochs: float | None = Field(
        None, gt=0, description="passes over the training data; null: the task's, mostly 3"
    )
    keep: Literal["best", "last"] = Field(
        "best", description="which model stays: the best on dev by the task's score, or the last"
    )


class FinetuneRecipe(Settings):
    """Everything that decides a fine-tuning run, apart from model and data."""

    max_seq_length: int | None = Field(
        None, ge=8, description="tokens in a sequence; by default the task's, mostly 128"
    )
    training: FinetuneTraining = FinetuneTraining()


def with_epochs(
    recipe: FinetuneRecipe, num_epochs: float, saved: Mapping[str, Any] | None
) -> FinetuneRecipe:
    """The recipe with a number of epochs, where it has none of its own.

    Args:
        recipe: what the user asks for.
        num_epochs: the task's.
        saved: the recipe of the run that goes on; None for a new one. Those of older versions have
            null, or 3 for every task.

    Example:
        >>> with_epochs(FinetuneRecipe(), 2.0, None).training.num_epochs
        2.0
    """
    if recipe.training.num_epochs is not None:
        return recipe
    of_run: float | None = num_epochs
    if saved is not None and isinstance(saved.get("training"), Mapping):
        known = saved["training"].get("num_epochs")
        of_run = known if known in (None, _OF_OLDER) else num_epochs
    training = recipe.training.model_copy(update={"num_epochs": of_run})
    return recipe.model_copy(update={"training": training})


def recipe_for(model_source: str) -> str:
    """The preset that fits a model's size: "small" below hidden size 512, else "default".

    The paper's learning rates are for base and large; small models hardly move at them.
    """
    config = read_config(find_folder(model_source))
    return "small" if config.hidden_size < 512 else "default"
