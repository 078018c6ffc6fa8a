"""The settings of examples, from the options of the commands that make some."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from bertsmith.examples import ExampleSettings

__all__ = ["ExampleChanges", "ExampleLength", "example_settings", "examples_epilog"]

ExampleLength = Annotated[
    int, typer.Option("--length", help="Longest example, in tokens, [CLS] and [SEP] counted.")
]
ExampleChanges = Annotated[
    list[str],
    typer.Option("--set", help="name=value, e.g. whole_word_masking=true; may be repeated."),
]


def example_settings(length: int, changes: Sequence[str]) -> "ExampleSettings":
    """Builds the settings; names may be written as for `pretrain`, `examples.masked_lm_prob=0.2`.

    Raises:
        RecipeError: an unknown name, or a value out of range.
    """
    from bertsmith.examples import ExampleSettings
    from bertsmith.recipes import change_settings

    named = [change.removeprefix("examples.") for change in changes]
    return change_settings(ExampleSettings, {"max_seq_length": length}, named)


def examples_epilog() -> str:
    """The settings, for --help."""
    from bertsmith.cli.recipe_help import settings_help
    from bertsmith.examples import ExampleSettings

    return settings_help(ExampleSettings)
