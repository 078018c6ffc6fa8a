"""What the doctor's commands print, and how they end."""

import re
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bertsmith.cli.output import check_output, emit_json, say, table
from bertsmith.errors import RecipeError

if TYPE_CHECKING:
    from bertsmith.doctor import Examination, Finding

__all__ = [
    "AsJson",
    "Html",
    "NumExamples",
    "Overwrite",
    "SampleSize",
    "Strict",
    "check_page",
    "finish",
    "parse_size",
]

Html = Annotated[Path | None, typer.Option("--html", help="Write a page with plots here.")]
Overwrite = Annotated[
    bool,
    typer.Option(
        "--overwrite", help="Replace the file at --html, even one not named .html or .htm."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")]
Strict = Annotated[bool, typer.Option("--strict", help="End with exit code 3 at a problem.")]
SampleSize = Annotated[
    str,
    typer.Option(
        "--sample",
        help="Text to look at closely, spread evenly over the corpus: 50MB, 2GB, or all.",
    ),
]
NumExamples = Annotated[int, typer.Option("--examples", min=0, help="Examples of each finding.")]

_PROBLEM_EXIT_CODE = 3
_UNITS = {"kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}
_COLOURS = {"problem": typer.colors.RED, "warning": typer.colors.YELLOW, "info": typer.colors.CYAN}
_WIDTH = 96


def parse_size(text: str) -> int | None:
    """Reads "500KB", "50MB" or "1.5GB" as bytes, and "all" as None.

    Raises:
        RecipeError: it is none of these.

    Example:
        >>> parse_size("1.5GB"), parse_size("all")
        (1500000000, None)
    """
    if text.strip().lower() == "all":
        return None
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt]b)", text.strip().lower())
    if match is None or float(match[1]) == 0:
        raise RecipeError("is no size", where=f"--sample {text}", fix="write 50MB, 2GB or all")
    return int(float(match[1]) * _UNITS[match[2]])


def check_page(html: Path | None, inputs: Sequence[str | Path], overwrite: bool) -> None:
    """Refuses a page's file as `check_output` does; one named .html or .htm is replaced unasked."""
    if html is not None:
        overwrite = overwrite or html.suffix.lower() in (".html", ".htm")
        check_output(html, inputs=inputs, overwrite=overwrite, option="--html")


def finish(examination: "Examination", *, html: Path | None, as_json: bool, strict: bool) -> None:
    """Prints an examination, writes its page, and ends.

    Raises:
        typer.Exit: with code 3, where it is asked for and there is a problem.
    """
    from bertsmith.doctor import write_examination

    if html is not None:
        write_examination(examination, html)
    if as_json:
        emit_json(examination.to_json())
    else:
        _show(examination)
        if html is not None:
            say(f"\n{html}: open it in a browser")
    if strict and examination.has_problem:
        raise typer.Exit(_PROBLEM_EXIT_CODE)


def _show(examination: "Examination") -> None:
    say(f"{examination.kind} {examination.subject}")
    rows = [(fact.label, fact.text) for fact in examination.facts]
    rows += [
        (shape.label, f"{shape.sparkline}  {shape.summary}") for shape in examination.histograms
    ]
    table(rows)
    for finding in examination.findings:
        say()
        _show_finding(finding)
    say()
    for what in examination.unchecked:
        say(f"not checked: {what}")
    say(_verdict(examination))


def _show_finding(finding: "Finding") -> None:
    level = finding.severity.upper() if finding.severity != "info" else "NOTE"
    if sys.stdout.isatty():
        level = typer.style(level, fg=_COLOURS[finding.severity], bold=True)
    say(f"{level}: {finding.title}  [{finding.name}]")
    for text in (finding.effect, finding.remedy):
        say(_wrapped(text))
    if finding.command:
        # Never wrapped, so that it can be copied.
        say(f"    {finding.command}")
    for example in finding.examples:
        say(f"  · {example.text}" + (f"  ({example.where})" if example.where else ""))


def _wrapped(text: str) -> str:
    return textwrap.fill(
        text, _WIDTH, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False
    )


def _verdict(examination: "Examination") -> str:
    counts = {name: examination.count(name) for name in ("problem", "warning", "info")}
    if not any(counts.values()):
        return "nothing is wrong"
    words = [("problem", "problem"), ("warning", "warning"), ("info", "note")]
    parts = [f"{counts[key]} {word}{'s' * (counts[key] != 1)}" for key, word in words]
    return ", ".join(parts)
