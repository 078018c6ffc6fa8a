"""Running the same command again goes on where a stopped run was.

Example: bertsmith pretrain store --recipe tiny --budget 20m -o runs/first
"""

import math
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from bertsmith._words import counted
from bertsmith.cli.models import check_model
from bertsmith.cli.output import emit_json, parse_duration, say, table, warn
from bertsmith.cli.runs import warn_of_frozen_noise, warn_of_stop, where_it_ended
from bertsmith.cli.stopping import exit_code

if TYPE_CHECKING:
    from bertsmith.training import ModelSettings, PretrainRecipe, PretrainResult

__all__ = ["command", "epilog", "score_rows"]

# With fewer than these even the warm-up of a short run is hardly over.
_FEW_UPDATES = 20


def epilog() -> str:
    """The recipe's settings, for --help."""
    from bertsmith.cli.recipe_help import settings_help
    from bertsmith.training import PretrainRecipe

    return settings_help(PretrainRecipe)


def command(
    store: Path = typer.Argument(..., help="A folder that bertsmith prepare made."),
    output: Path = typer.Option(..., "-o", "--output", help="The run's folder."),
    recipe: str = typer.Option(
        "base", help="tiny, mini, small, medium, base, large, or a YAML file."
    ),
    init: str | None = typer.Option(None, help="Model folder or hub id to start from."),
    budget: str | None = typer.Option(None, help="Run for this long: 90s, 20m, 3h, 2d."),
    changes: list[str] = typer.Option(
        [], "--set", help="path=value, e.g. training.learning_rate=1e-4; may be repeated."
    ),
    as_json: bool = typer.Option(False, "--json", help="Print the result as JSON."),
) -> None:
    """Runs the command."""
    from bertsmith.recipes import load_recipe, refuse_contradictions, started_from

    refuse_contradictions(changes, budget)
    if budget is not None:
        changes = [*changes, f"training.budget_seconds={parse_duration(budget)}"]
    if init is not None:
        check_model(init)
    from bertsmith.training import Interrupted, PretrainRecipe, pretrain

    # A preset's model is a fresh one's; what the user wrote must be true of the one that is there.
    without = () if init is None else ("model",)
    resolved = load_recipe(PretrainRecipe, "pretrain", recipe, changes, without=without)
    if init is None:
        if (model := started_from("pretrain", recipe)) is not None:
            warn(
                f"{recipe}: that run started from {model}, this one starts from fresh weights; "
                f"--init {shlex.quote(model)} has it start from there, too"
            )
        frozen, config = resolved.training.freeze_layers, resolved.model.config(vocab_size=1)
        if (frozen or 0) <= config.num_hidden_layers:  # else it is refused
            warn_of_frozen_noise(output, frozen, "give --init, or leave it out")
    preset = None if init is None else _model_of_preset(recipe, resolved)
    try:
        result = pretrain(store, resolved, output, init=init, unapplied=preset, warn=warn)
    except Interrupted as stop:
        warn(f"{stop}; run the same command to go on")
        raise typer.Exit(stop.exit_code) from None
    except KeyboardInterrupt as at_once:
        warn_of_stop(output)
        raise typer.Exit(exit_code(at_once)) from None
    _warn_of_few_updates(result.state.step, resolved.training.budget_seconds)
    _warn_of_nothing_learned(result, is_fresh=init is None)
    if as_json:
        emit_json({"path": str(output), **where_it_ended(result.state), **result.scores})
        return
    skipped = result.state.num_skipped
    told = f", {skipped:,} of them skipped" if skipped else ""
    say(f"{output}: {counted(result.state.step, 'step')} in {result.state.seconds:,.0f} s{told}")
    table(score_rows(result, resolved.examples.pair_labels))
    quoted = shlex.quote(str(output))
    table([("next", f"bertsmith finetune classify --model {quoted} --data FOLDER -o runs/task")])


def _model_of_preset(name: str, resolved: "PretrainRecipe") -> "ModelSettings | None":
    """What a preset says about the model, without what the user says instead."""
    from bertsmith.recipes import is_preset, load_recipe
    from bertsmith.training import ModelSettings, PretrainRecipe

    if not is_preset("pretrain", name):
        return None
    preset = load_recipe(PretrainRecipe, "pretrain", name).model
    kept = preset.model_fields_set - resolved.model.model_fields_set
    return ModelSettings(**preset.model_dump(include=kept))


def _warn_of_few_updates(num_updates: int, budget_seconds: float | None) -> None:
    if budget_seconds is not None and num_updates < _FEW_UPDATES:
        warn(
            f"only {counted(num_updates, 'update')} fitted into {budget_seconds:g} s; the model is "
            "hardly trained; give a longer --budget"
        )


def _warn_of_nothing_learned(result: "PretrainResult", *, is_fresh: bool) -> None:
    """Tells a loss that knowing no context gives; a trial of few updates only if it blew up."""
    from bertsmith.doctor.run_measures import OVER_IGNORANT, OVER_OF_OTHERS
    from bertsmith.model.pretrained import read_config

    scores, num_updates = result.scores, result.state.step
    name, label = ("ltr", "left-to-right") if "ltr_loss" in scores else ("mlm", "MLM")
    loss, unigram = scores[f"{name}_loss"], scores.get("unigram_loss")
    if unigram is None or loss <= unigram:
        return
    knows_nothing = math.log(read_config(result.path).vocab_size)
    limit = OVER_IGNORANT if is_fresh else OVER_OF_OTHERS
    if num_updates >= _FEW_UPDATES or loss > knows_nothing + limit:
        warn(
            f"{result.path}: the held-out {label} loss {loss:,.3f} is worse than that of a model "
            f"that knows no context ({unigram:.3f}); "
            f"{shlex.join(['bertsmith', 'doctor', 'run', str(result.path)])} looks for the reason"
        )


def score_rows(result: "PretrainResult", pair_labels: str) -> list[tuple[str, str]]:
    """The held-out scores as rows of a table.

    Args:
        result: what came of the run.
        pair_labels: what label 1 of a pair means: the recipe's `examples.pair_labels`.
    """
    scores, rows = result.scores, []
    pairs = "sentence order" if pair_labels == "order" else "NSP"
    for name, label in (("mlm", "MLM"), ("ltr", "left-to-right"), ("nsp", pairs)):
        if f"{name}_loss" in scores:
            rows.append((f"held-out {label} loss", f"{scores[f'{name}_loss']:.3f}"))
            rows.append((f"held-out {label} accuracy", f"{scores[f'{name}_accuracy']:.1%}"))
    return [*rows, ("unigram baseline", f"{scores['unigram_accuracy']:.1%}")]
