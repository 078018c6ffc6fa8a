"""Scoring a fine-tuned model."""

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bertsmith.errors import ModelError
from bertsmith.model import find_device, resolve_precision
from bertsmith.model.base import PretrainedModel
from bertsmith.model.config import ProblemType
from bertsmith.tasks.base import Task
from bertsmith.tasks.families.labels import UnlabelledError
from bertsmith.tasks.finetuning.dev_set import DevSet
from bertsmith.tasks.finetuning.prediction_files import prediction_files
from bertsmith.tasks.finetuning.trained_for import trained_for, trained_length
from bertsmith.tasks.lookup import get_task
from bertsmith.wordpiece import Tokenizer

__all__ = ["evaluate"]


def evaluate(
    task_name: str,
    model_source: str,
    data: Path,
    *,
    split: str = "dev",
    max_seq_length: int | None = None,
    precision: str = "fp32",
    predictions: Path | None = None,
    warn: Callable[[str], None],
) -> dict[str, float]:
    """Scores a fine-tuned model on a task's data.

    Args:
        task_name: a name from `task_names()`.
        model_source: model folder or hub id, with the task's head.
        data: a folder, or a file.
        split: which of the task's splits; "dev" scores every dev set that there is.
        max_seq_length: tokens in a sequence; by default those that it was fine-tuned with, or the
            task's.
        precision: "auto", "fp32", "bf16" or "fp16".
        predictions: where each example's prediction is written, as JSON lines; a file that is
            there is replaced. For further dev sets see `prediction_files`.
        warn: is told what the user should know.

    Raises:
        ModelError: the folder has no head for this task, or one of another kind.
        DataError: the data can't be read, or has no labels.
    """
    task = get_task(task_name)
    trained = trained_for(model_source)
    if trained is not None and type(get_task(trained)) is not type(task):
        raise ModelError(
            f"was fine-tuned for {trained}, whose answers are of another kind",
            where=model_source,
            fix=f"give a model that was fine-tuned for {task_name}",
        )
    if max_seq_length is None and trained is not None:
        max_seq_length = trained_length(model_source)
    number_format = resolve_precision(precision, find_device())
    model = task.model_class.from_pretrained(model_source).to(find_device())
    report = model.loading_report
    if report is not None and report.missing:
        command = ["bertsmith", "finetune", task_name, "--model", model_source]
        command += ["--data", str(data), "-o", f"runs/{task_name}"]
        raise ModelError(
            f"has no head for {task_name}",
            where=model_source,
            fix=f"fine-tune it first: {shlex.join(command)}",
        )
    _require_kind(task, model, model_source)
    if trained not in (None, task_name):
        warn(f"{model_source} was fine-tuned for {trained}, not {task_name}")
    tokenizer = Tokenizer.from_pretrained(model_source)
    files = prediction_files(task, data, split, predictions)
    scores: dict[str, float] = {}
    for name, path in files.items():
        read = task.read(data, name)
        for note in read.notes:
            warn(note)
        if data.is_file() and name == task.dev_splits[0]:
            warn(f"{data}: --split all scores the whole file; the model must not have learned it")
        dev = DevSet(task, name, read, tokenizer, model.config, max_seq_length)
        predicted = dev.predict(model, number_format)
        if path is None:
            scores.update(dev.score(predicted, first=next(iter(files))))
            continue
        task.write_predictions(path, read.examples, predicted)
        try:
            scores.update(dev.score(predicted, first=next(iter(files))))
        except UnlabelledError as error:  # as in a benchmark's test set, whose labels are kept back
            warn(f"{error}; the predictions are written to {path}")
    return scores


def _require_kind(task: Task[Any, Any, Any], model: PretrainedModel[Any], source: str) -> None:
    """Refuses classes for numbers and numbers for classes, whoever fine-tuned the model."""
    if task.problem_type is None:
        return
    wanted = "a number" if task.problem_type == "regression" else "one of several classes"
    config = model.config
    given = _answer(config.problem_type or task.problem_type, len(config.labels))
    if given != wanted:
        raise ModelError(
            f"answers with {given}, and {task.name} asks for {wanted}",
            where=source,
            fix=f"give a model that was fine-tuned for {task.name}",
        )


def _answer(problem_type: ProblemType, num_outputs: int) -> str:
    if problem_type == "multi_label_classification":
        return "any number of classes"
    if num_outputs == 1:
        return "a number"
    return f"{num_outputs} numbers" if problem_type == "regression" else "one of several classes"
