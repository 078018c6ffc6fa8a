"""What each size would come to in the time there is; the recipe of the best one with -o.

Example: bertsmith plan --corpus-bytes 13GB --gpu h100 --hours 24 --price-per-hour 2.5
"""

import math
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from bertsmith._words import counted
from bertsmith.cli.doctor_output import parse_size
from bertsmith.cli.output import check_output, columns, emit_json, say, table, warn
from bertsmith.errors import RecipeError

if TYPE_CHECKING:
    from bertsmith.plan import Device, Plan, Planned, PlannedCorpus

__all__ = ["command"]

# As for a run (`bertsmith doctor run`).
_MANY_EPOCHS = 100


def command(
    corpus_bytes: str | None = typer.Option(
        None, help="Size of the text: 500MB, 13GB, or a number of bytes."
    ),
    store: Path | None = typer.Option(None, help="A token store instead, which is measured."),
    gpu: str | None = typer.Option(
        None, help="h200, h100, a100, rtx4090, l4, or cpu; not needed with --measure."
    ),
    gpus: int = typer.Option(1, min=1, help="How many of them."),
    hours: float = typer.Option(..., min=0.01, max=1e6, help="Time for pre-training."),
    price_per_hour: float | None = typer.Option(None, min=0, help="Price of one, an hour."),
    measure: bool = typer.Option(
        False, "--measure", help="Run 20 updates of each size here, instead of the table."
    ),
    sizes: list[str] = typer.Option(
        [], "--size", help="A size to look at: tiny ... large; may be repeated; default: all."
    ),
    output: Path | None = typer.Option(None, "-o", "--output", help="Write the recipe here."),
    overwrite: bool = typer.Option(False, "--overwrite", help="Replace the file at -o."),
    as_json: bool = typer.Option(False, "--json", help="Print the plan as JSON."),
) -> None:
    """Runs the command."""
    _check(corpus_bytes, store, gpu, measure, output, overwrite)
    if price_per_hour is not None and not math.isfinite(price_per_hour):
        raise RecipeError("is no price", where=f"--price-per-hour {price_per_hour}")
    from bertsmith.plan import PlannedCorpus, find_device, make_plan

    chosen = _sizes(sizes)
    size = None if corpus_bytes is None else _num_bytes(corpus_bytes)
    device = None if gpu is None else find_device(gpu)
    corpus = PlannedCorpus.of_store(store) if store else PlannedCorpus.of_bytes(size or 1)
    if device is None or measure:
        device = _measured(store, chosen)
        chosen = list(device.mfu)
    plan = make_plan(
        corpus, device, hours, num_devices=gpus, price_per_hour=price_per_hour, sizes=chosen
    )
    if output is not None:
        _write(plan, output)
    if as_json:
        emit_json(_as_json(plan, corpus, device))
        return
    _show(plan, corpus, device, gpus)
    _say_next(store, output, gpus)


def _check(
    corpus_bytes: str | None,
    store: Path | None,
    gpu: str | None,
    measure: bool,
    output: Path | None,
    overwrite: bool,
) -> None:
    if (corpus_bytes is None) == (store is None):
        raise RecipeError("give one of the two", where="--corpus-bytes, --store")
    if gpu is None and not measure:
        raise RecipeError("say what to train on", where="--gpu", fix="or --measure this machine")
    if gpu is not None and measure:
        raise RecipeError("--measure takes its place", where=f"--gpu {gpu}", fix="give one")
    if output is not None:
        check_output(output, inputs=[store] if store else [], overwrite=overwrite)


def _num_bytes(text: str) -> int:
    if text.strip().isdecimal() and int(text):
        return int(text)
    try:
        size = parse_size(text)
    except RecipeError:
        size = None
    if size is None:
        raise RecipeError("is no size", where=f"--corpus-bytes {text}", fix="write 500MB or 13GB")
    return size


def _sizes(wanted: list[str]) -> list[str]:
    from bertsmith.model import SIZES

    for name in wanted:
        if name not in SIZES:
            raise RecipeError(
                "is no size", where=f"--size {name}", fix=f"give one of {', '.join(SIZES)}"
            )
    return list(dict.fromkeys(wanted)) or list(SIZES)


def _measured(store: Path | None, sizes: list[str]) -> "Device":
    from bertsmith.plan import measure_device
    from bertsmith.training import Interrupted

    try:
        return measure_device(store, sizes, warn)
    except Interrupted as stop:  # what the run saved is gone with its folder
        warn("stopped")
        raise typer.Exit(stop.exit_code) from None


def _write(plan: "Plan", output: Path) -> None:
    import yaml

    from bertsmith._files import atomic_file

    command = f"bertsmith pretrain STORE --recipe {output}"
    head = f"# bertsmith plan: {plan.chosen.size}, {_hours_used(plan)} h. {command}\n"
    with atomic_file(output) as temporary:
        text = head + yaml.safe_dump(plan.recipe, sort_keys=False)
        temporary.write_text(text, encoding="utf-8")


def _show(plan: "Plan", corpus: "PlannedCorpus", device: "Device", gpus: int) -> None:
    about = "estimated at" if corpus.is_estimated else "with"
    millions = corpus.num_tokens / 1e6
    tokens = f"{millions:,.1f} million" if millions >= 0.1 else f"{corpus.num_tokens:,.0f}"
    say(f"{corpus.name}, {about} {tokens} tokens")
    count = f"{gpus} × " if gpus > 1 else ""
    say(f"{count}{device.name}, {device.matmul_rate / 1e12:,.3g} TFLOP/s, {plan.hours:g} h")
    say()
    header = ("size", "tokens/s", "updates", "batch", "epochs", "MLM loss to expect", "")
    columns([header, *(_row(size, plan) for size in plan.sizes)])
    say()
    chosen = plan.chosen
    phases = "90 % at length 128, 10 % at 512" if chosen.has_long_phase else "length 128"
    rows = [
        ("take", chosen.size),
        ("phases", phases),
        ("learning rate", f"{plan.recipe['training']['learning_rate']:g}"),
        ("forward pass", counted(chosen.micro_batch_size, "sequence")),
    ]
    if plan.cost is not None:
        rows.append(("cost", f"{plan.cost:,.2f}"))
    table(rows)
    _say_doubts(plan, device, gpus)


def _hours_used(plan: "Plan") -> str:
    hours = plan.chosen.hours
    if hours == plan.hours:
        return f"{hours:g}"
    return f"{hours:,.1f}" if hours >= 1 else f"{hours:.2g}"


def _row(size: "Planned", plan: "Plan") -> tuple[str, ...]:
    loss = size.loss
    return (
        size.size,
        f"{size.tokens_per_second:,.0f}{' ~' if size.is_estimated else ''}",
        f"{size.num_steps:,}",
        str(size.global_batch_size),
        f"{size.epochs:,.2f}",
        f"{loss.low:.1f} to {loss.high:.1f}{' ?' if loss.is_extrapolated else ''}",
        _verdict(size, plan),
    )


def _verdict(size: "Planned", plan: "Plan") -> str:
    if size is plan.chosen:
        return "← take this, though too large" if size.is_too_large else "← take this"
    return "too large" if size.is_too_large else ""


def _say_doubts(plan: "Plan", device: "Device", gpus: int) -> None:
    if any(size.is_estimated for size in plan.sizes):
        several = "; that each further device adds 92 % of one, too" if gpus > 1 else ""
        say(f"  ~ speed estimated ({device.note}{several})")
    measured = [size.size for size in plan.sizes if not device.is_estimated(size.size)]
    if measured:
        say(f"  {', '.join(measured)}: measured ({device.measured[measured[0]]})")
    if any(size.loss.is_extrapolated for size in plan.sizes):
        say("  ? no such run is among those that the rule for the loss is fitted to; a guess")
    if any(size.is_too_large for size in plan.sizes):
        say("  too large: for so little text; pretrain --init goes on from a model that is there")
    if plan.chosen.is_small_batch:
        examples = counted(plan.chosen.epoch_examples, "example")
        say(
            f"  an epoch has about {examples}, so a batch has {plan.chosen.global_batch_size}; "
            "small ones are slower than said here"
        )
    if plan.chosen.hours < plan.hours:
        say(
            f"  no plan for so little has over {plan.chosen.num_steps:,} updates: they take about "
            f"{_hours_used(plan)} h of the {plan.hours:g}"
        )
    if plan.chosen.epochs > _MANY_EPOCHS:
        say(
            f"  the text is gone through {plan.chosen.epochs:,.0f} times; from some sixteen on "
            "each is worth less and less: fewer hours, or more text"
        )


def _say_next(store: Path | None, output: Path | None, gpus: int) -> None:
    if output is None:
        say("  -o recipe.yaml writes all of it as a recipe")
        return
    from bertsmith.training import launcher

    words = [str(store or "store"), "--recipe", str(output), "-o", "runs/planned"]
    table([("next", f"{launcher(gpus)} pretrain {shlex.join(words)}")])


def _as_json(plan: "Plan", corpus: "PlannedCorpus", device: "Device") -> dict[str, Any]:
    from dataclasses import asdict

    return {
        "corpus": asdict(corpus),
        "device": {
            "name": device.name,
            "matmul_flops_per_second": device.matmul_rate,
            "measured": dict(device.measured),
            "note": device.note,
        },
        "hours": plan.hours,
        "cost": plan.cost,
        "sizes": [asdict(size) for size in plan.sizes],
        "chosen": plan.chosen.size,
        "recipe": plan.recipe,
    }
