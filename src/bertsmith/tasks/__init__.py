"""Fine-tuning tasks: one module a task, found by its name.

What trains and scores is imported when it is first used, so that the command line can list the
tasks without PyTorch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from bertsmith.tasks.base import Feature, Task, TaskData
from bertsmith.tasks.lookup import get_task, task_names, with_main_metric

if TYPE_CHECKING:
    from bertsmith.tasks.finetuning import (
        FinetuneRecipe,
        FinetuneResult,
        FinetuneTraining,
        evaluate,
        finetune,
        recipe_for,
    )

__all__ = [
    "Feature",
    "FinetuneRecipe",
    "FinetuneResult",
    "FinetuneTraining",
    "Task",
    "TaskData",
    "evaluate",
    "finetune",
    "get_task",
    "recipe_for",
    "task_names",
    "with_main_metric",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'bertsmith.tasks' has no attribute {name!r}")
    return getattr(import_module("bertsmith.tasks.finetuning"), name)
