"""From a preset's name or a YAML file, with `--set` on top, to a checked recipe."""

from collections.abc import Sequence
from copy import deepcopy
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from bertsmith._settings import Settings
from bertsmith.errors import RecipeError
from bertsmith.recipes.changes import apply_change, named_settings
from bertsmith.recipes.effects import refuse_idle
from bertsmith.recipes.faults import recipe_error
from bertsmith.recipes.yaml_text import parse_yaml

__all__ = ["change_settings", "is_preset", "load_recipe", "preset_names", "started_from"]

Recipe = TypeVar("Recipe", bound=Settings)


def preset_names(stage: str) -> list[str]:
    """Names of the presets of a stage, "pretrain" or "finetune".

    Example:
        >>> preset_names("pretrain")
        ['base', 'large', 'medium', 'mini', 'small', 'tiny']
    """
    folder = resources.files("bertsmith.recipes") / stage
    return sorted(file.name[:-5] for file in folder.iterdir() if file.name.endswith(".yaml"))


def load_recipe(
    kind: type[Recipe],
    stage: str,
    name: str,
    changes: Sequence[str] = (),
    *,
    without: Sequence[str] = (),
) -> Recipe:
    """Reads a recipe and applies changes, the later over the earlier.

    A run of so many steps, named in a change, replaces a file's budget; a warm-up as a share of
    the run replaces a file's in updates.

    Args:
        kind: the recipe's class.
        stage: "pretrain" or "finetune": where presets are looked up.
        name: a preset's name, or the path of a YAML file: the `recipe.yaml` of a run is one.
        changes: `path=value` each, as in `training.learning_rate=1e-4`; the value is YAML.
        without: groups that are left out of a preset, such as "model" where there is a model; a
            file keeps them, since they are what its author wants; but for the recipe of an older
            run in which they had no effect.

    Raises:
        RecipeError: no such preset or file, not YAML, an unknown key or one that stands twice, a
            value out of range, a setting that has no effect.
    """
    values, where = _read(stage, name)
    if without and _is_of_new_model(stage, name, values):
        values = {group: of_group for group, of_group in values.items() if group not in without}
    # A run's recipe.yaml tells what it was run on, too.
    is_of_user = not is_preset(stage, name) and "run" not in values
    values.pop("run", None)
    written = deepcopy(values) if is_of_user else {}
    recipe = change_settings(kind, values, changes, where)
    refuse_idle(recipe, written, changes, where)
    return recipe


def change_settings(
    kind: type[Recipe], values: dict[str, Any], changes: Sequence[str], where: str | None = None
) -> Recipe:
    """Builds settings from values and the changes that a user gave on top.

    Args:
        kind: the settings' class.
        values: what is set before; changed in place.
        changes: `path=value` each; the value is YAML.
        where: where the values come from, named in errors of what no change set.

    Raises:
        RecipeError: an unknown key, or a value out of range.

    Example:
        >>> from bertsmith.examples import ExampleSettings
        >>> change_settings(ExampleSettings, {"max_seq_length": 64}, ["masked_lm_prob=0.5"])
        ... # doctest: +ELLIPSIS
        ExampleSettings(max_seq_length=64, short_seq_prob=0.1, masked_lm_prob=0.5, ...)
    """
    for change in changes:
        apply_change(values, change)
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise recipe_error(kind, error, where, _names(named_settings(changes))) from error


def _names(changed: dict[str, Any]) -> list[str]:
    """The settings that changes name, those in a list of groups too."""
    of_lists = [
        f"{path}.{name}"
        for path, values in changed.items()
        if isinstance(values, list)
        for group in values
        if isinstance(group, dict)
        for name in group
    ]
    return [*changed, *of_lists]


def is_preset(stage: str, name: str) -> bool:
    """Whether a recipe's name is that of a preset, not of a file.

    Example:
        >>> is_preset("pretrain", "tiny"), is_preset("pretrain", "runs/first/recipe.yaml")
        (True, False)
    """
    return "/" not in name and _preset(stage, name).is_file()


def started_from(stage: str, name: str) -> str | None:
    """The model that a run started from, by its `recipe.yaml`; None for any other recipe.

    Args:
        stage: "pretrain" or "finetune".
        name: of a recipe that `load_recipe` has read.
    """
    if is_preset(stage, name):
        return None
    run = _read(stage, name)[0].get("run")
    return run.get("init") if isinstance(run, dict) else None


def _is_of_new_model(stage: str, name: str, values: dict[str, Any]) -> bool:
    """Whether what a recipe says of the model was never meant for one that is there."""
    from bertsmith.training.older_runs import has_unused_model  # brings PyTorch

    return is_preset(stage, name) or has_unused_model(values)


def _preset(stage: str, name: str) -> Traversable:
    return resources.files("bertsmith.recipes") / stage / f"{name}.yaml"


def _read(stage: str, name: str) -> tuple[dict[str, Any], str]:
    if is_preset(stage, name):
        text = _preset(stage, name).read_text(encoding="utf-8")
    else:
        try:
            text = Path(name).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise RecipeError(
                "is neither a preset nor a file that can be read",
                where=name,
                fix=f"give a YAML file or one of {', '.join(preset_names(stage))}",
            ) from error
    values = parse_yaml(text, name)
    if not isinstance(values, dict | None):
        raise RecipeError("holds no settings", where=name, fix="write `training:` and so on")
    return values or {}, name
