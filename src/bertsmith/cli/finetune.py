"""All parameters are trained, with one added layer; the best model on dev is kept.

Example: bertsmith finetune sst2 --model runs/first --data glue/SST-2 -o runs/sst2
"""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from bertsmith._words import counted
from bertsmith.cli.models import check_model
from bertsmith.cli.output import emit_json, say, table, warn
from bertsmith.cli.runs import warn_of_frozen_noise, warn_of_stop, where_it_ended
from bertsmith.cli.stopping import exit_code

if TYPE_CHECKING:
    from bertsmith.tasks import FinetuneResult

__all__ = ["command", "epilog", "score_rows"]


def epilog() -> str:
    """The tasks and the recipe's settings, for --help."""
    from bertsmith.cli.recipe_help import settings_help
    from bertsmith.tasks import FinetuneRecipe, get_task, task_names

    tasks = "\n\n".join(f"{name}: {get_task(name).summary}" for name in task_names())
    return f"Tasks:\n\n{tasks}\n\n{settings_help(FinetuneRecipe)}"


def command(
    task: str = typer.Argument(..., help="The task's name; --help lists them."),
    model: str = typer.Option(..., help="Model folder or hub id."),
    data: Path = typer.Option(..., help="The task's data: a folder, or a file."),
    output: Path = typer.Option(..., "-o", "--output", help="The run's folder."),
    recipe: str | None = typer.Option(
        None, help="default, small (both by the model's size, if not given), or a YAML file."
    ),
    from_scratch: bool = typer.Option(
        False, "--from-scratch", help="Start from fresh weights of the same shape, to compare."
    ),
    changes: list[str] = typer.Option(
        [], "--set", help="path=value, e.g. training.num_epochs=2; may be repeated."
    ),
    as_json: bool = typer.Option(False, "--json", help="Print the result as JSON."),
) -> None:
    """Runs the command."""
    check_model(model)
    from bertsmith.recipes import load_recipe, refuse_contradictions
    from bertsmith.tasks import FinetuneRecipe, finetune, recipe_for
    from bertsmith.training import Interrupted

    refuse_contradictions(changes)
    resolved = load_recipe(FinetuneRecipe, "finetune", recipe or recipe_for(model), changes)
    if from_scratch:
        fix = "leave it out, or --from-scratch"
        warn_of_frozen_noise(output, resolved.training.freeze_layers, fix)
    try:
        result = finetune(task, model, data, resolved, output, from_scratch=from_scratch, warn=warn)
    except Interrupted as stop:
        warn(f"{stop}; run the same command to go on")
        raise typer.Exit(stop.exit_code) from None
    except KeyboardInterrupt as at_once:
        warn_of_stop(output)
        raise typer.Exit(exit_code(at_once)) from None
    _warn_of_nothing_learned(result)
    if as_json:
        ended = where_it_ended(result.state)
        emit_json({"path": str(output), **ended, "scores": result.scores})
        return
    num_steps = counted(result.state.step, "step")
    say(f"{output}: {num_steps} in {result.state.seconds:,.0f} s; on dev:")
    table(score_rows(result.scores))
    words = ["bertsmith", "evaluate", task, "--model", str(output), "--data", str(data)]
    table([("next", shlex.join(words))])


def _warn_of_nothing_learned(result: "FinetuneResult") -> None:
    score, least = result.scores[result.main_metric], result.least_score
    if least is not None and score <= least:
        warn(
            f"{result.path}: {result.main_metric} {score:.4f} on dev is no better than always "
            f"giving the same answer ({least:.4f}); "
            f"{shlex.join(['bertsmith', 'doctor', 'run', str(result.path)])} looks for the reason"
        )


def score_rows(scores: dict[str, float]) -> list[tuple[str, str]]:
    """Scores as rows of a table."""
    return [
        (name, f"{value:,.0f}" if value == int(value) and abs(value) > 1 else f"{value:.4f}")
        for name, value in scores.items()
    ]
