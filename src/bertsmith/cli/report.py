"""Curves, scores, settings, machine; pre-training and fine-tuning, also runs that still go on.

Example: bertsmith report runs/first runs/second -o report.html
"""

from pathlib import Path
from typing import Annotated

import typer

from bertsmith._words import counted
from bertsmith.cli.models import files_of_model
from bertsmith.cli.output import check_output, say, warn

__all__ = ["command"]


def command(
    runs: Annotated[
        list[Path], typer.Argument(help="Folders of runs: one, or several side by side.")
    ],
    output: Path = typer.Option(Path("report.html"), "-o", "--output", help="The page."),
    x: str = typer.Option("step", "--x", help="What curves are drawn over: step or seconds."),
    sentences: list[str] = typer.Option(
        [], "--fill", help="A sentence with [MASK] for the model to fill; may be repeated."
    ),
    overwrite: bool = typer.Option(
        False, "--overwrite", help="Replace the file at -o, even one not named .html or .htm."
    ),
) -> None:
    """Runs the command."""
    from bertsmith.errors import RecipeError
    from bertsmith.reports import held_out_doubt, why_no_blanks, write_run_report
    from bertsmith.training import read_run

    if x not in ("step", "seconds"):
        raise RecipeError("is neither step nor seconds", where=f"--x {x}")
    if (again := _given_again(runs)) is not None:
        raise RecipeError("is given twice", where=again, fix="name each run once")
    overwrite = overwrite or output.suffix.lower() in (".html", ".htm")
    inputs = [file for run in runs for file in files_of_model(str(run))]
    check_output(output, inputs=inputs, overwrite=overwrite)
    logs = [read_run(run) for run in runs]
    write_run_report(logs, output, x=x, sentences=sentences)
    for log in logs:
        if log.num_unreadable:
            lines = counted(log.num_unreadable, "line")
            warn(f"{log.path / 'metrics.jsonl'}: {lines} can't be read and are left out")
        if sentences and (why := why_no_blanks(log)) is not None:
            warn(f"--fill: {log.name} {why}")
    for doubt in held_out_doubt(logs):
        warn(doubt)
    say(f"{output}: open it in a browser")


def _given_again(runs: list[Path]) -> Path | None:
    """The first folder that stands before it already, under whatever name."""
    seen = set[Path]()
    for run in runs:
        if run.resolve() in seen:
            return run
        seen.add(run.resolve())
    return None
