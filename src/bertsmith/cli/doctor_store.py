"""Checks the files, and plans an epoch of examples at length 128 and at 512, as for training.

Example: bertsmith doctor store store --html doctor.html
"""

from pathlib import Path
from typing import Annotated

import typer

from bertsmith.cli.doctor_output import (
    AsJson,
    Html,
    NumExamples,
    Overwrite,
    Strict,
    check_page,
    finish,
)

__all__ = ["command"]


def command(
    store: Annotated[Path, typer.Argument(help="A folder that bertsmith prepare made.")],
    examples: NumExamples = 3,
    html: Html = None,
    overwrite: Overwrite = False,
    strict: Strict = False,
    as_json: AsJson = False,
) -> None:
    """Runs the command."""
    from bertsmith.doctor import examine_store

    check_page(html, [store], overwrite)
    finish(examine_store(store, num_examples=examples), html=html, as_json=as_json, strict=strict)
