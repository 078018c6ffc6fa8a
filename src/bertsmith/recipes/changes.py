"""What a user writes after `--set`: one setting, by its path, and its value."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from bertsmith._settings import INSTEAD_OF, flat
from bertsmith.errors import RecipeError
from bertsmith.recipes.yaml_text import parse_yaml

__all__ = ["apply_change", "named_settings", "refuse_contradictions"]


# The one list of groups of settings.
_LIST = "phases"


def apply_change(settings: dict[str, Any], change: str) -> None:
    """Sets one setting, and clears the one that would count instead of it.

    Of a group, `path={name: value}`, what isn't named stays as it was.

    Args:
        settings: all settings, in groups; changed in place.
        change: `path=value`; the value is YAML.

    Raises:
        RecipeError: it isn't of that form, or there is no such place.

    Example:
        >>> recipe = {"training": {"num_steps": 900, "budget_seconds": 60.0}}
        >>> apply_change(recipe, "training.num_steps=40")
        >>> recipe
        {'training': {'num_steps': 40, 'budget_seconds': None}}
    """
    _apply(settings, *_parsed(change), change)


def _apply(settings: dict[str, Any], keys: list[str], value: Any, change: str) -> None:
    values: Any = settings
    for key, following in pairwise(keys):
        if isinstance(values, list):
            below = values[_index(values, key, change)]
        else:
            below = values.setdefault(key, {})
            if key == _LIST and values is settings:
                _require_list(below, following, change)
        if not isinstance(below, dict | list):
            raise RecipeError(f"{key} holds no settings of its own", where=f"--set {change}")
        values = below
    is_list = isinstance(values, list)
    last = _index(values, keys[-1], change) if is_list else keys[-1]
    before = values[last] if is_list else values.get(last)
    if isinstance(value, dict) and isinstance(before, dict):
        for name, each in value.items():
            _apply(settings, [*keys, str(name)], each, change)
        return
    values[last] = value
    for other, replaced in INSTEAD_OF.items():
        name = other.rpartition(".")[2]
        if ".".join(keys) == replaced and name in values:
            values[name] = None


def named_settings(changes: Sequence[str]) -> dict[str, Any]:
    """The settings that changes name, by path, each with its last value.

    Example:
        >>> named_settings(["training={seed: 1}", "phases=null", "training.seed=2"])
        {'training.seed': 2, 'phases': None}
    """
    named: dict[str, Any] = {}
    for change in changes:
        keys, value = _parsed(change)
        named |= flat({".".join(keys): value})
    return named


def refuse_contradictions(changes: Sequence[str], budget: str | None = None) -> None:
    """Refuses what one command line says twice: the length of a run, or of its warm-up.

    Args:
        changes: what each --set says.
        budget: what --budget says; None where it isn't given.

    Raises:
        RecipeError: two of them set the same.

    Example:
        >>> refuse_contradictions(["training.num_steps=40", "training.budget_seconds=null"])
    """
    named = named_settings(changes)
    for other, replaced in INSTEAD_OF.items():
        if budget is not None and other == "training.budget_seconds":
            told = next((path for path in (replaced, other) if named.get(path) is not None), None)
            against = f"--budget {budget}"
        else:
            told = replaced if replaced in named and named.get(other) is not None else None
            against = f"{other}={named.get(other)}"
        if told is not None:
            raise RecipeError(
                f"contradicts {against}",
                where=f"--set {told}={named[told]}",
                fix="give one of the two",
            )


def _parsed(change: str) -> tuple[list[str], Any]:
    path, equals, text = change.partition("=")
    keys = path.strip().split(".")
    if not equals or not all(keys):
        raise RecipeError(
            "is no setting", where=f"--set {change}", fix="write training.learning_rate=1e-4"
        )
    return keys, _number(parse_yaml(text, f"--set {change}"))


def _index(values: list[Any], key: str, change: str) -> int:
    if key.isdecimal() and int(key) < len(values):
        return int(key)
    known = f"0 to {len(values) - 1}" if values else "none"
    raise RecipeError(f"there is no {key} in this list; known are {known}", where=f"--set {change}")


def _require_list(values: Any, key: str, change: str) -> None:
    """Refuses a number where there is no list: one of them can't be set before the others."""
    if key.isdecimal() and not isinstance(values, list):
        raise RecipeError(
            f"the recipe has no {_LIST} of which one could be changed",
            where=f"--set {change}",
            fix=f"set all of them, as in --set '{_LIST}=[{{share: 0.9}}, {{share: 0.1}}]'",
        )


def _number(value: Any) -> Any:
    """YAML 1.1 reads 1e-4 as text; people mean a number."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value
