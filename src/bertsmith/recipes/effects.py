"""A setting that is written down has an effect, or is refused."""

from collections.abc import Mapping, Sequence
from typing import Any

from bertsmith._settings import Settings, flat
from bertsmith.errors import RecipeError
from bertsmith.recipes.changes import named_settings

__all__ = ["refuse_idle"]

_SCHEDULE = "training.schedule"
# Settings that one schedule alone has.
_OF_SCHEDULE = {
    "training.decay_ratio": "trapezoidal",
    "training.decay_curve": "trapezoidal",
}


def refuse_idle(
    recipe: Settings, written: Mapping[str, Any], changes: Sequence[str], where: str | None = None
) -> None:
    """Refuses settings of another schedule than the recipe's.

    Args:
        recipe: what is to be run.
        written: what the user's own file says. What a preset or a run's `recipe.yaml` says isn't
            the user's word: the latter has every setting.
        changes: what each --set says.
        where: the file's name.

    Raises:
        RecipeError: the first such setting.
    """
    training: Any = getattr(recipe, "training", None)
    named = named_settings(changes)
    # In a file both may stand, and the schedule that it is meant for be changed by a --set.
    of_file = {} if _SCHEDULE in named else flat(written)
    for path, schedule in _OF_SCHEDULE.items():
        if (path not in named and path not in of_file) or training.schedule == schedule:
            continue
        name = path.rpartition(".")[2]
        value = getattr(training, name)
        if path not in named and value == type(training).model_fields[name].default:
            continue
        raise RecipeError(
            f"{path}={value} has no effect: the schedule is {training.schedule}",
            where=None if path in named else where,
            fix=f"set {_SCHEDULE}={schedule}, or leave it out",
        )
