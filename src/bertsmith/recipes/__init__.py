"""Recipes: YAML presets shipped with the package, read and changed with `--set`."""

from bertsmith.recipes.changes import refuse_contradictions
from bertsmith.recipes.describe import describe_settings
from bertsmith.recipes.load import (
    change_settings,
    is_preset,
    load_recipe,
    preset_names,
    started_from,
)

__all__ = [
    "change_settings",
    "describe_settings",
    "is_preset",
    "load_recipe",
    "preset_names",
    "refuse_contradictions",
    "started_from",
]
