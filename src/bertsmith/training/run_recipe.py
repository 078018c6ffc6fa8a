"""A run's `recipe.yaml`: reading, writing, and what two of them differ in."""

import shlex
from pathlib import Path
from typing import Any

import yaml

from bertsmith._words import in_yaml
from bertsmith.errors import RecipeError
from bertsmith.training.checkpoint_folders import checkpoint_folders

__all__ = ["first_difference", "how_to_mend", "read_recipe", "recipe_yaml", "require_same"]

_HEAD = "# The whole recipe of this run; --recipe takes this file. `run` is what it was run on.\n"


def recipe_yaml(recipe: dict[str, Any]) -> str:
    """A resolved recipe as text."""
    return _HEAD + yaml.safe_dump(recipe, sort_keys=False)


def read_recipe(path: Path) -> dict[str, Any]:
    """Reads what `recipe_yaml` wrote.

    Raises:
        RecipeError: the file can't be read, or holds something else.
    """
    try:
        recipe = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise RecipeError("can't be read", where=path, fix=how_to_mend(path)) from error
    if not isinstance(recipe, dict):
        raise RecipeError("is no recipe", where=path, fix=how_to_mend(path))
    return recipe


def how_to_mend(path: Path) -> str | None:
    """What to do about a run's recipe that is damaged or missing: each checkpoint has a copy.

    Args:
        path: where it stands, or should.
    """
    copies = (folder / path.name for folder in checkpoint_folders(path.parent))
    newest = next((copy for copy in copies if copy.exists()), None)
    if newest is None:
        return None
    what = "mends it" if path.name == "recipe.yaml" else "brings back what it held then"
    return f"{shlex.join(['cp', str(newest), str(path)])} {what}"


def require_same(
    run: Path, saved: dict[str, Any], wanted: dict[str, Any], free_to_change: frozenset[str]
) -> None:
    """Refuses to go on with a run on another recipe, or another store.

    Args:
        run: the run's folder.
        saved: what it was started with.
        wanted: what it shall go on with.
        free_to_change: paths that may differ.

    Raises:
        RecipeError: the first difference is named.
    """
    difference = first_difference(saved, wanted, free_to_change)
    if difference is None:
        return
    before, now = _of_run(saved, "task"), _of_run(wanted, "task")
    if before != now:
        raise RecipeError(
            f"this folder holds a run of {_work(before)}, not of {_work(now)}",
            where=run,
            fix="give another output folder",
        )
    before, now = _of_run(saved, "init"), _of_run(wanted, "init")
    if before != now:  # it decides the model's settings, too
        raise RecipeError(
            f"this folder holds a run {_started(before)}, not {_started(now)}",
            where=run,
            fix="start as it was to go on, or give another output folder",
        )
    before, now = _of_run(saved, "data"), _of_run(wanted, "data")
    if isinstance(before, dict) and isinstance(now, dict) and before != now:
        raise RecipeError(
            f"this run was started on other data ({_other_files(before, now)})",
            where=run,
            fix="give the data as they were to go on, or another output folder",
        )
    if difference.startswith("run.store."):
        raise RecipeError(
            "this run was started on another store, or the store has changed since "
            f"({difference.removeprefix('run.')})",
            where=run,
            fix="give the store as it was to go on, or another output folder",
        )
    raise RecipeError(
        f"this folder holds a run with {difference}",
        where=run,
        fix="use the same settings to go on, or another output folder",
    )


def _of_run(recipe: dict[str, Any], what: str) -> Any:
    run = recipe.get("run")
    return run.get(what) if isinstance(run, dict) else None


def _other_files(before: dict[str, Any], now: dict[str, Any]) -> str:
    """In which files a run's data, as hashes by path, differ."""
    if changed := [path for path in before if path in now and before[path] != now[path]]:
        return f"{changed[0]} has changed since"
    gone = [path for path in before if path not in now]
    new = [path for path in now if path not in before]
    if sorted(before.values()) == sorted(now.values()):
        return f"what was {gone[0]} is {new[0]} now"
    if not gone:
        return f"{new[0]} is new"
    if not new:
        return f"{gone[0]} is missing"
    return f"on {', '.join(gone)}, not {', '.join(new)}"


def _work(task: Any) -> str:
    return "pre-training" if task is None else f"fine-tuning on {task}"


def _started(init: Any) -> str:
    return "without --init" if init is None else f"with --init {init}"


def first_difference(
    saved: object, wanted: object, free_to_change: frozenset[str] = frozenset(), path: str = ""
) -> str | None:
    """Says what a recipe has otherwise than another, or returns None.

    Args:
        saved: one recipe, or a part of it.
        wanted: the other.
        free_to_change: paths that aren't compared.
        path: where in the recipe the two stand.

    Example:
        >>> first_difference({"training": {"seed": 1}}, {"training": {"seed": 2}})
        'training.seed = 1, not 2'
        >>> first_difference({"phases": None}, {"phases": [{"share": 1.0, "max_seq_length": None}]})
        'phases = null, not [{share: 1.0}]'
    """
    if path in free_to_change:
        return None
    if isinstance(saved, dict) and isinstance(wanted, dict):
        for key in [*saved, *(key for key in wanted if key not in saved)]:
            below = f"{path}.{key}" if path else str(key)
            difference = first_difference(saved.get(key), wanted.get(key), free_to_change, below)
            if difference:
                return difference
        return None
    if saved == wanted:
        return None
    return f"{path} = {in_yaml(_as_written(saved))}, not {in_yaml(_as_written(wanted))}"


def _as_written(value: object) -> object:
    """Groups in a list without what nobody set in them."""
    if not isinstance(value, list):
        return value
    return [
        {name: one for name, one in item.items() if one is not None}
        if isinstance(item, dict)
        else item
        for item in value
    ]
