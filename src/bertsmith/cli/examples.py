"""The rows are examples as `bertsmith pretrain` makes them, shuffled, from all documents.

A run holds some documents out, so it sees others than these.

Example: bertsmith examples store -o examples.parquet --epochs 2 --set whole_word_masking=true
"""

from pathlib import Path

import typer

from bertsmith._words import counted
from bertsmith.cli.example_settings import (
    ExampleChanges,
    ExampleLength,
    example_settings,
    examples_epilog,
)
from bertsmith.cli.output import check_output, emit_json, say, table, warn

__all__ = ["command", "epilog"]

epilog = examples_epilog


def command(
    store: Path = typer.Argument(..., help="A folder that bertsmith prepare made."),
    output: Path = typer.Option(..., "-o", "--output", help="The Parquet file."),
    length: ExampleLength = None,
    epochs: int = typer.Option(1, min=1, help="Passes over the store; each pairs and masks anew."),
    seed: int = typer.Option(0, help="Decides pairs, masks and order."),
    changes: ExampleChanges = [],  # noqa: B006  # typer's own form for an option given repeatedly
    overwrite: bool = typer.Option(
        False, "--overwrite", help="Replace the file that stands at the output."
    ),
    as_json: bool = typer.Option(False, "--json", help="Print the result as JSON."),
) -> None:
    """Runs the command."""
    from bertsmith.examples import export_examples
    from bertsmith.store import TokenStore, missing_words

    settings = example_settings(length, changes)
    check_output(output, inputs=[store], overwrite=overwrite)
    source = TokenStore(store)
    if settings.whole_word_masking and (told := missing_words(source)):
        warn(told)
    summary = export_examples(source, settings, output, seed=seed, epochs=epochs)
    if as_json:
        emit_json({"path": str(output), **vars(summary)})
        return
    say(f"{output}: {counted(summary.num_examples, 'example')}")
    table(
        [
            ("tokens", f"{summary.num_tokens:,}"),
            ("tokens per example", f"{summary.num_tokens / summary.num_examples:.1f}"),
            ("to predict", f"{summary.num_predictions / summary.num_tokens:.1%}"),
            ("file", f"{output.stat().st_size / 1e6:,.1f} MB"),
        ]
    )
