"""The settings of examples, from the options of the commands that make some."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from bertsmith.errors import RecipeError

if TYPE_CHECKING:
    from bertsmith.examples import ExampleSettings

__all__ = ["ExampleChanges", "ExampleLength", "example_settings", "examples_epilog"]

# What `pretrain` has settings of besides examples.
_OF_A_RUN = ("model", "training", "phases")

ExampleLength = Annotated[
    int | None,
    typer.Option(
        "--length", help="Longest example, in tokens, [CLS] and [SEP] counted; default: 128."
    ),
]
ExampleChanges = Annotated[
    list[str],
    typer.Option("--set", help="name=value, e.g. whole_word_masking=true; may be repeated."),
]


def example_settings(length: int | None, changes: Sequence[str]) -> "ExampleSettings":
    """Builds the settings; names may be written as for `pretrain`, `examples.masked_lm_prob=0.2`.

    Args:
        length: what --length says; None where it isn't given.
        changes: what each --set says.

    Raises:
        RecipeError: an unknown name, a value out of range, a length that is given twice, or a
            setting of a run.
    """
    from bertsmith.examples import ExampleSettings
    from bertsmith.recipes import change_settings

    for change in changes:
        if change.partition("=")[0].strip().split(".")[0] in _OF_A_RUN:
            raise RecipeError(
                "is a setting of a run, which makes no difference to examples",
                where=f"--set {change}",
                fix="leave it out here, and give it to `bertsmith pretrain`",
            )
    named = [change.removeprefix("examples.") for change in changes]
    before = {} if length is None else {"max_seq_length": length}
    settings = change_settings(ExampleSettings, dict(before), named)
    if length is not None and settings.max_seq_length != length:
        what = f"contradicts max_seq_length={settings.max_seq_length}"
        raise RecipeError(what, where=f"--length {length}", fix="give one of the two")
    return settings


def examples_epilog() -> str:
    """The settings, for --help."""
    from bertsmith.cli.recipe_help import settings_help
    from bertsmith.examples import ExampleSettings

    return settings_help(ExampleSettings)
