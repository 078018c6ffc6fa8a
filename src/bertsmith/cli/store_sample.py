"""A token to be predicted is shown in brackets, with an arrow to what stands in its place.

Example: bertsmith store sample store --number 3 --set whole_word_masking=true
"""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from bertsmith._words import counted
from bertsmith.cli.example_settings import (
    ExampleChanges,
    ExampleLength,
    example_settings,
    examples_epilog,
)
from bertsmith.cli.output import emit_json, say, warn

if TYPE_CHECKING:
    from bertsmith.examples import SampledExample

__all__ = ["command", "epilog"]

epilog = examples_epilog


def command(
    store: Path = typer.Argument(..., help="A folder that bertsmith prepare made."),
    number: int = typer.Option(5, min=1, help="How many examples to show."),
    index: int = typer.Option(0, help="Number of the first one in the epoch's order, from 0."),
    length: ExampleLength = None,
    epoch: int = typer.Option(0, min=0, help="Pass over the store, from 0."),
    seed: int = typer.Option(0, help="Decides pairs, masks and order."),
    changes: ExampleChanges = [],  # noqa: B006  # typer's own form for an option given repeatedly
    as_json: bool = typer.Option(False, "--json", help="Print the examples as JSON."),
) -> None:
    """Runs the command."""
    from bertsmith.examples import sample_examples
    from bertsmith.store import TokenStore, missing_words

    settings = example_settings(length, changes)
    source = TokenStore(store)
    if settings.whole_word_masking and (told := missing_words(source)):
        warn(told)
    samples = sample_examples(source, settings, first=index, number=number, seed=seed, epoch=epoch)
    if as_json:
        emit_json([asdict(sample) for sample in samples])
        return
    for sample in samples:
        _show(sample)


def _show(sample: "SampledExample") -> None:
    say(
        f"example {sample.number} of {sample.num_examples:,}: "
        f"{counted(sample.num_tokens, 'token')}, {sample.num_predictions} to predict"
    )
    for name, text, title in zip("AB", sample.segments, sample.titles, strict=False):
        say(f"  {name}  {text}")
        if title:
            say(f"     (from {title})")
    if sample.label is not None:
        say(f"  label {sample.label}: {sample.label_meaning}")
    say()
