"""What is wrong with a recipe, in one line."""

import difflib
import re
from collections.abc import Iterable, Sequence

from pydantic import BaseModel, ValidationError

from bertsmith._words import in_yaml
from bertsmith.errors import RecipeError
from bertsmith.recipes.describe import describe_settings

__all__ = ["recipe_error"]

# "Input should be a valid integer, unable to parse string as an integer"
_REASON = re.compile(r", (unable|got) .*")

# What other libraries call a setting, and what it may be here.
_OTHER_NAMES = {
    "lr": ("learning_rate",),
    "epochs": ("num_epochs", "num_steps"),
    "num_train_epochs": ("num_epochs", "num_steps"),
    "steps": ("num_steps",),
    "max_steps": ("num_steps",),
    "batch_size": ("global_batch_size", "micro_batch_size"),
}


def recipe_error(
    kind: type[BaseModel],
    error: ValidationError,
    where: str | None,
    changed: Iterable[str] = (),
) -> RecipeError:
    """Makes one line of the first thing that pydantic found.

    Args:
        kind: the recipe's class.
        error: what pydantic found.
        where: where the recipe comes from.
        changed: the settings, by path, that don't come from there but from a --set.
    """
    known = [name for name, _, _ in describe_settings(kind)]
    first = error.errors()[0]
    path = ".".join(str(part) for part in first["loc"])
    missing = _missing_group(first["type"], path, known)
    is_whole = missing is not None or first["type"] == "extra_forbidden"  # a group, if it is one
    if any(
        f"{path}.".startswith(f"{name}.") or (is_whole and name.startswith(f"{path}."))
        for name in changed
    ):
        where = "--set"
    if first["type"] == "extra_forbidden":
        known = _numbered(known, first["loc"])
        if "." not in path:
            known = list(dict.fromkeys([*kind.model_fields, *known]))
        close = _meant(path, known)
        fix = f"did you mean {close}?" if close else _known_beside(path, known)
        return RecipeError(f"unknown key {path}", where=where, fix=fix)
    parent = path.rpartition(".")[0]
    if missing is not None:
        what, below = missing
        beside = _known_beside(below, _numbered(known, first["loc"]))
        return RecipeError(f"{path} = {in_yaml(first['input'])}: {what}", where=where, fix=beside)
    messages = [first["msg"].removeprefix("Value error, ")]
    if isinstance(first["input"], dict) and _are_named(changed, messages[0]):
        where = "--set"
    if parent in known:  # a setting of several types; pydantic tells of each, by its name
        path = parent
        messages = [
            _REASON.sub("", found["msg"])
            for found in error.errors()
            if found["loc"][:-1] == first["loc"][:-1]
        ]
    message = " or ".join(
        [messages[0], *(m.removeprefix("Input should be ") for m in messages[1:])]
    )
    # Of a whole group of settings the message names those that it is about.
    value = first["input"]
    shown = "" if isinstance(value, dict) else f" = {in_yaml(value)}"
    is_one = first["type"] == "list_type" and isinstance(value, str)
    what = f"{path}{shown}: {message}" if path else message
    return RecipeError(what, where=where, fix=f"write [{value}]" if is_one else None)


def _missing_group(error: str, path: str, known: Sequence[str]) -> tuple[str, str] | None:
    """What belongs where there is a value instead of a group of settings, or of a list of groups.

    Returns:
        That, and the path of a setting in it; None where it is something else that is wrong.
    """
    if error == "tuple_type" and any(name.startswith(f"{path}.N.") for name in known):
        return "should be a list of groups of settings", f"{path}.N."
    return ("should be a group of settings", f"{path}.") if error == "model_type" else None


def _numbered(known: Sequence[str], place: Sequence[str | int]) -> list[str]:
    """The settings with the number of the phase that is meant; in their list it stands as N."""
    number = next((str(part) for part in place if isinstance(part, int)), "N")
    return [name.replace(".N.", f".{number}.") for name in known]


def _are_named(settings: Iterable[str], message: str) -> bool:
    """Whether a message about settings that don't go together is about one of these."""
    lasts = [name.rpartition(".")[2] for name in settings]
    return any(re.search(rf"\b{re.escape(last)}", message) for last in lasts)


def _known_beside(path: str, known: Sequence[str]) -> str:
    """Names the settings of the group that an unknown one is in, or the groups."""
    group = path.rpartition(".")[0]
    start = f"{group}." if group else ""
    names = [name.removeprefix(start) for name in known if name.startswith(start)]
    names = list(dict.fromkeys(name.partition(".")[0] for name in names))
    return f"known{f' in {group}' if group else ''} are {', '.join(names)}"


def _meant(path: str, known: Sequence[str]) -> str | None:
    """The setting that an unknown one is likely to mean: by its own name, the group counts less."""
    group, _, last = path.rpartition(".")
    beside = [name for name in known if name.rpartition(".")[0] == group]
    names = {name.rpartition(".")[2]: name for name in [*reversed(known), *reversed(beside)]}
    for other in (last, *_OTHER_NAMES.get(last, ())):
        if other in names:
            return names[other]
    for some in (beside, known):
        lasts = [name.rpartition(".")[2] for name in some]
        if close := difflib.get_close_matches(last, lasts, n=1, cutoff=0.6):
            return names[close[0]]
    return None
