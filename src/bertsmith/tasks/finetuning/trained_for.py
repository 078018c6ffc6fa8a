"""What a model folder was fine-tuned for, if it is a run of ours."""

from pathlib import Path
from typing import Any

from bertsmith.errors import RecipeError
from bertsmith.tasks.families.sequences import Columns
from bertsmith.tasks.lookup import get_task, task_names
from bertsmith.training import RunFolder

__all__ = ["input_columns", "pairs_task", "trained_for", "trained_length"]


def trained_for(model_source: str) -> str | None:
    """The name of the task; None for other models, such as those of a hub."""
    run = _recipe(model_source).get("run")
    task = run.get("task") if isinstance(run, dict) else None
    return task if task in task_names() else None


def trained_length(model_source: str) -> int | None:
    """How many tokens a sequence had in fine-tuning; None for the task's default."""
    length = _recipe(model_source).get("max_seq_length")
    return length if isinstance(length, int) else None


def pairs_task(model_source: str) -> str | None:
    """The task that a model was fine-tuned for, if that has two texts in every example."""
    name = trained_for(model_source)
    columns = _columns(name)
    needs_both = columns is not None and columns.second and not columns.second_optional
    return name if needs_both else None


def _recipe(model_source: str) -> dict[str, Any]:
    path = Path(model_source)
    if not (path / "recipe.yaml").is_file():
        return {}
    try:
        return RunFolder(path).read_recipe()
    except RecipeError:  # somebody else's file of that name
        return {}


def input_columns(model_source: str) -> list[dict[str, str]]:
    """What the columns of its task's files are to a prediction, `text` or `text_pair`.

    So GLUE's own files are predicted as they are. See `inference.read_inputs`; empty where no such
    task is known.
    """
    columns = _columns(trained_for(model_source))
    if columns is None:
        return []
    first, second = dict.fromkeys(columns.first, "text"), dict.fromkeys(columns.second, "text_pair")
    return [{**first, **second}, *([first] if columns.second_optional else [])]


def _columns(task: str | None) -> Columns | None:
    """Those of a task's tables, if it has such."""
    columns = None if task is None else getattr(get_task(task), "columns", None)
    return columns if isinstance(columns, Columns) else None
