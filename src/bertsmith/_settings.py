"""The base of every settings class: pydantic, frozen, unknown keys refused."""

from collections.abc import Mapping
from typing import Any, get_args

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator

from bertsmith._words import in_yaml

__all__ = ["INSTEAD_OF", "Settings", "flat"]

#: The former counts instead of the latter wherever it has a value.
INSTEAD_OF = {
    "training.budget_seconds": "training.num_steps",
    "training.num_warmup_steps": "training.warmup_ratio",
}


class Settings(BaseModel):
    """A group of settings. Every field has a description with its unit; unknown keys are errors.

    Truth values are no numbers: in YAML `yes` and `on` are such, too.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False
    )

    @field_validator("*", mode="before")
    @classmethod
    def _truth_is_no_number(cls, value: Any, info: ValidationInfo) -> Any:
        if isinstance(value, bool) and info.field_name is not None:
            annotation = cls.model_fields[info.field_name].annotation
            kinds = {annotation, *get_args(annotation)}
            if bool not in kinds and kinds & {int, float}:
                raise ValueError(f"Input should be a number, and this is {in_yaml(value)}")
        return value


def flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Settings in groups by their paths.

    Example:
        >>> flat({"training": {"seed": 1}, "phases": None})
        {'training.seed': 1, 'phases': None}
    """
    found: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = value
    return found
