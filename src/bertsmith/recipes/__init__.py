"""Recipes: YAML presets shipped with the package, read and changed with `--set`."""

from bertsmith.recipes.load import describe_settings, load_recipe, preset_names

__all__ = ["describe_settings", "load_recipe", "preset_names"]
