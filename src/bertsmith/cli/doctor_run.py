"""Reads the recipe and the log alone, so also of a run that goes on.

Example: bertsmith doctor run runs/first
"""

from pathlib import Path
from typing import Annotated

import typer

from bertsmith.cli.doctor_output import AsJson, Html, Overwrite, Strict, check_page, finish
from bertsmith.cli.models import files_of_model

__all__ = ["command"]


def command(
    run: Annotated[Path, typer.Argument(help="The folder of a run: of pretrain or finetune.")],
    html: Html = None,
    overwrite: Overwrite = False,
    strict: Strict = False,
    as_json: AsJson = False,
) -> None:
    """Runs the command."""
    from bertsmith.doctor import examine_run

    check_page(html, files_of_model(str(run)), overwrite)
    finish(examine_run(run), html=html, as_json=as_json, strict=strict)
