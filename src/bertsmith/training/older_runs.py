"""Runs that an older version started: they go on as they began."""

from collections.abc import Mapping
from typing import Any

from bertsmith.training.recipe import PretrainRecipe
from bertsmith.training.settings import FREE_TO_CHANGE

__all__ = ["as_started", "has_unused_model"]


def as_started(
    recipe: PretrainRecipe, saved: Mapping[str, Any] | None, init: str | None
) -> tuple[PretrainRecipe, frozenset[str]]:
    """Gives a recipe what a run that goes on was started without.

    A run without `training.held_out_seed` holds out what its own seed chose, and the model
    settings of one with `init` are those of a preset, which had no effect. In a new run null is
    its own seed, and is written as that.

    Args:
        recipe: what the user asks for.
        saved: the recipe of the run that is there; None for a new run.
        init: the model that the run started from.

    Returns:
        The recipe to go on with, and the paths of settings that may differ from the run's.

    Example:
        >>> recipe, _ = as_started(PretrainRecipe(), {"training": {"seed": 7}}, None)
        >>> recipe.training.held_out_seed is None
        True
        >>> as_started(PretrainRecipe(), None, None)[0].training.held_out_seed
        42
        >>> own = PretrainRecipe(training={"seed": 7, "held_out_seed": None})
        >>> as_started(own, None, None)[0].training.held_out_seed
        7
    """
    training = recipe.training
    if saved is None or not _is_older(saved):
        if training.held_out_seed is None:
            training = training.model_copy(update={"held_out_seed": training.seed})
        return recipe.model_copy(update={"training": training}), FREE_TO_CHANGE
    if "held_out_seed" not in training.model_fields_set:
        training = training.model_copy(update={"held_out_seed": None})
        recipe = recipe.model_copy(update={"training": training})
    return recipe, FREE_TO_CHANGE if init is None else FREE_TO_CHANGE | {"model"}


def has_unused_model(saved: Mapping[str, Any]) -> bool:
    """Whether a run's recipe describes a model that it didn't have: it went on from another.

    Args:
        saved: the whole of a `recipe.yaml`.

    Example:
        >>> has_unused_model({"model": {"size": "base"}, "training": {}, "run": {"init": "bert"}})
        True
    """
    run = saved.get("run")
    return isinstance(run, Mapping) and run.get("init") is not None and _is_older(saved)


def _is_older(saved: Mapping[str, Any]) -> bool:
    training = saved.get("training")
    return isinstance(training, Mapping) and training.get("held_out_seed") is None
