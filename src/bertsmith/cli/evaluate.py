"""Scores every dev set of the task, or another split.

Example: bertsmith evaluate sst2 --model runs/sst2 --data glue/SST-2
"""

from pathlib import Path

import typer

from bertsmith._process import speaks
from bertsmith.cli.finetune import score_rows
from bertsmith.cli.models import check_model, files_of_model
from bertsmith.cli.output import check_output, emit_json, say, table, warn

__all__ = ["command"]


def command(
    task: str = typer.Argument(..., help="The task's name, as for finetune."),
    model: str = typer.Option(..., help="A fine-tuned model's folder."),
    data: Path = typer.Option(..., help="The task's data: a folder, or a file."),
    split: str = typer.Option("dev", help="dev, test, train, or all for a single file."),
    max_seq_length: int | None = typer.Option(
        None, min=8, help="Tokens in a sequence, if not as in training."
    ),
    precision: str = typer.Option("fp32", help="fp32, bf16, fp16 (GPUs), or auto."),
    predictions: Path | None = typer.Option(None, help="Write each prediction here (JSON lines)."),
    overwrite: bool = typer.Option(
        False, "--overwrite", help="Replace the file that stands at --predictions."
    ),
    as_json: bool = typer.Option(False, "--json", help="Print the scores as JSON."),
) -> None:
    """Runs the command."""
    if not speaks():  # under torchrun one process does all the work
        return
    check_model(model)
    if predictions is not None:
        _check(predictions, task, model, data, split, overwrite=overwrite)
    from bertsmith.tasks import evaluate

    scores = evaluate(
        task,
        model,
        data,
        split=split,
        max_seq_length=max_seq_length,
        precision=precision,
        predictions=predictions,
        warn=warn,
    )
    if as_json:
        emit_json(scores)
        return
    if scores:
        say(f"{model} on {data}, {split}:")
        table(score_rows(scores))


def _check(
    predictions: Path, task_name: str, model: str, data: Path, split: str, *, overwrite: bool
) -> None:
    """Refuses files that must not be written, before anything is computed."""
    from bertsmith.tasks import get_task
    from bertsmith.tasks.finetuning import data_files, prediction_files

    task = get_task(task_name)
    files = prediction_files(task, data, split, predictions)
    inputs: list[str | Path] = [*files_of_model(model)]
    inputs += [path for name in files for path in data_files(task, data, name)]
    for path in files.values():
        if path is not None:
            check_output(path, inputs=inputs, overwrite=overwrite, option="--predictions")
