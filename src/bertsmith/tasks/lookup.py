"""Finding a task by its module's name."""

import dataclasses
import pkgutil
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bertsmith.errors import RecipeError

if TYPE_CHECKING:
    from bertsmith.tasks.base import Task
    from bertsmith.training import RunLog

__all__ = ["get_task", "task_names", "with_main_metric"]

#: Modules of this room that hold no task.
_NOT_TASKS = frozenset({"base", "lookup"})


@cache
def task_names() -> tuple[str, ...]:
    """The names of all tasks, sorted; none of their modules is imported.

    Example:
        >>> "sst2" in task_names(), "base" in task_names()
        (True, False)
    """
    modules = pkgutil.iter_modules([str(Path(__file__).parent)])
    return tuple(
        sorted(
            module.name for module in modules if not module.ispkg and module.name not in _NOT_TASKS
        )
    )


def get_task(name: str) -> "Task[Any, Any, Any]":
    """Returns the task of that name: `TASK` of the module `bertsmith.tasks.<name>`.

    Raises:
        RecipeError: there is no such task; the message lists them.

    Example:
        >>> get_task("cola").main_metric
        'matthews_correlation'
    """
    if name not in task_names():
        raise RecipeError(f"no task {name!r}", where="task", fix=f"use {', '.join(task_names())}")
    task: Task[Any, Any, Any] = import_module(f"bertsmith.tasks.{name}").TASK
    return task


def with_main_metric(run: "RunLog") -> "RunLog":
    """Tells a log of fine-tuning by which score its task chose the model that was kept."""
    if run.task not in task_names():  # pre-training
        return run
    return dataclasses.replace(run, main_metric=get_task(str(run.task)).main_metric)
