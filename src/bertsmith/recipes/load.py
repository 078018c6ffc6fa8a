"""From a preset's name or a YAML file, with `--set` on top, to a checked recipe."""

import difflib
from collections.abc import Iterator, Sequence
from copy import deepcopy
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticUndefined

from bertsmith._settings import Settings
from bertsmith.errors import RecipeError
from bertsmith.recipes.changes import apply_change
from bertsmith.recipes.effects import refuse_idle
from bertsmith.recipes.yaml_text import parse_yaml

__all__ = ["change_settings", "describe_settings", "is_preset", "load_recipe", "preset_names"]

Recipe = TypeVar("Recipe", bound=Settings)

# What other libraries call a setting, and what it may be here.
_OTHER_NAMES = {
    "lr": ("learning_rate",),
    "epochs": ("num_epochs", "num_steps"),
    "num_train_epochs": ("num_epochs", "num_steps"),
    "steps": ("num_steps",),
    "max_steps": ("num_steps",),
    "batch_size": ("global_batch_size", "micro_batch_size"),
}


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
        where: where the values come from, named in errors.

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
        raise _recipe_error(kind, error, where) from error


def describe_settings(kind: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, str, str]]:
    """Yields (path, default, meaning) for every setting of a recipe's class.

    Example:
        >>> from pydantic import Field
        >>> class Loop(Settings):
        ...     num_steps: int = Field(100, description="optimizer updates")
        >>> list(describe_settings(Loop))
        [('num_steps', '100', 'optimizer updates')]
    """
    for name, field in kind.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from describe_settings(field.annotation, f"{prefix}{name}.")
            continue
        has_none = field.default in (PydanticUndefined, None, ())
        yield f"{prefix}{name}", "" if has_none else str(field.default), field.description or ""
        item = next(iter(get_args(field.annotation)), None)
        if isinstance(item, type) and issubclass(item, BaseModel):
            yield from describe_settings(item, f"{prefix}{name}.N.")


def is_preset(stage: str, name: str) -> bool:
    """Whether a recipe's name is that of a preset, not of a file.

    Example:
        >>> is_preset("pretrain", "tiny"), is_preset("pretrain", "runs/first/recipe.yaml")
        (True, False)
    """
    return "/" not in name and _preset(stage, name).is_file()


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


def _recipe_error(kind: type[BaseModel], error: ValidationError, where: str | None) -> RecipeError:
    first = error.errors()[0]
    path = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        known = [name for name, _, _ in describe_settings(kind)]
        if "." not in path:
            known = list(dict.fromkeys([*kind.model_fields, *known]))
        close = _meant(path, known)
        fix = f"did you mean {close}?" if close else f"known are {', '.join(known)}"
        return RecipeError(f"unknown key {path}", where=where, fix=fix)
    message = first["msg"].removeprefix("Value error, ")
    # Of a whole group of settings the message names those that it is about.
    value = "" if isinstance(first["input"], dict) else f" = {first['input']!r}"
    what = f"{path}{value}: {message}" if path else message
    return RecipeError(what, where=where)
