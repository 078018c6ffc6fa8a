"""One file a pipeline, found by its task's name: `fill-mask` is `FillMask` in `fill_mask.py`."""

from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any, Protocol, runtime_checkable

from bertsmith.errors import InputError
from bertsmith.inference.loading import Columns, RunnerOptions, option_names

__all__ = ["TASKS", "Pipeline", "pipeline"]

TASKS = tuple(sorted(module.name.replace("_", "-") for module in iter_modules(__path__)))
"""The tasks that there's a pipeline for."""


@runtime_checkable
class Pipeline(Protocol):
    """What all pipelines share; `columns` are the sets of keyword arguments of the call."""

    @property
    def columns(self) -> Columns:
        """See `Columns`."""
        ...

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Runs the pipeline on one input, or on a list of them."""
        ...


def pipeline(task: str, path_or_hub_id: str | Path, **options: Any) -> Any:
    """Loads a model for a task.

    Args:
        task: `fill-mask`, `classify`, `tag`, `answer`, `next-sentence`, `embed` or `score`.
        path_or_hub_id: a Hugging Face folder, or a hub id.
        **options: the pipeline's own (`top_k`, `strategy`, …) and those of `RunnerOptions`.

    Returns:
        The pipeline, to be called on a text or a list of texts.

    Raises:
        InputError: no such task, or no such option.
        ModelError: the folder isn't a BERT with the head that the task needs.

    Example:
        >>> TASKS
        ('answer', 'classify', 'embed', 'fill-mask', 'next-sentence', 'score', 'tag')
    """
    if task not in TASKS:
        raise InputError(f"no task {task!r}", fix=f"use {', '.join(TASKS)}")
    module = import_module(f"{__name__}.{task.replace('-', '_')}")
    pipeline_class = getattr(module, task.title().replace("-", ""))
    known = (*option_names(pipeline_class), *RunnerOptions.__annotations__)
    if unknown := sorted(options.keys() - set(known)):
        raise InputError(f"{task} has no option {unknown[0]!r}", fix=f"use {', '.join(known)}")
    return pipeline_class.from_pretrained(path_or_hub_id, **options)
