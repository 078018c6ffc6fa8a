"""Options about cleaning that go together, or don't."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from bertsmith.errors import RecipeError

if TYPE_CHECKING:
    from bertsmith.corpus import CleaningSettings

__all__ = ["control_characters", "refuse_without_effect"]


def control_characters(drop: bool, keep: bool) -> bool | None:
    """Whether control characters are dropped; None where the user didn't say.

    Args:
        drop: whether --drop-control-characters is given.
        keep: whether --keep-control-characters is.

    Raises:
        RecipeError: both are.

    Example:
        >>> control_characters(True, False), control_characters(False, False)
        (True, None)
    """
    if drop and keep:
        raise RecipeError(
            "contradicts --keep-control-characters",
            where="--drop-control-characters",
            fix="give one of the two",
        )
    return drop if drop or keep else None


def refuse_without_effect(options: Mapping[str, object], cleaning: "CleaningSettings") -> None:
    """Refuses an option that says how something is done that isn't done.

    Args:
        options: what the user gave, by the fields' names; None where nothing.
        cleaning: the settings that came of it.

    Raises:
        RecipeError: there is one.
    """
    from bertsmith.corpus.cleaning_settings import without_effect

    for name, other in without_effect(dict(cleaning)).items():
        if options.get(name) is not None:
            where = "--" + name.replace("_", "-")
            raise RecipeError(f"goes with {other} alone", where=where, fix="give both or neither")
