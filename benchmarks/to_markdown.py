"""Puts measured figures into the docs: benchmarks/results/*.json → docs/benchmarks.md.

python -m benchmarks.to_markdown
"""

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

from benchmarks.figures import HEADER, Figure, with_context

__all__ = ["NOT_MEASURED", "PAGE", "RESULTS", "TABLES", "fill", "read_results", "to_markdown"]

_ROOT = Path(__file__).parents[1]
RESULTS, PAGE = _ROOT / "benchmarks/results", _ROOT / "docs/benchmarks.md"
TABLES = ("data", "training", "training_float32", "gpu")
NOT_MEASURED = "No figures are recorded yet."
_START, _END = "<!-- benchmarks/results/{}.json -->", "<!-- end of the table -->"


def to_markdown(results: dict[str, Any]) -> str:
    """A table for each machine and its versions, and below it where and when it was measured."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for figure in with_context(results):
        context = json.dumps([figure["machine"], figure["versions"]], sort_keys=True)
        groups.setdefault(context, []).append(figure)
    return "\n\n".join(_table(figures) for figures in groups.values())


def _table(measured: list[dict[str, Any]]) -> str:
    names = [field.name for field in fields(Figure)]
    figures = [
        Figure(**{name: figure[name] for name in names if name in figure}) for figure in measured
    ]
    lines = [_row([*HEADER[:-1], "verdict"]), "|" + "---|" * len(HEADER)]
    lines += [_row(figure.cells()) for figure in figures]
    machine, versions = measured[0]["machine"], measured[0]["versions"]
    dates = sorted({figure["measured"][:10] for figure in measured})
    lines += [
        "",
        f"Measured on {' and '.join(dates)}: {machine['processor']}, {machine['cores']} cores, "
        + f"{machine['memory_GiB']} GiB of memory; "
        + (f"{machine['gpu']}; " if machine.get("gpu") else "")
        + ", ".join(f"{name} {version}" for name, version in versions.items())
        + ".",
    ]
    return "\n".join(lines)


def read_results(name: str) -> dict[str, Any] | None:
    """What `save_results` wrote under a name, one of `TABLES`; None for nothing."""
    path = RESULTS / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def fill(page: str, name: str, results: dict[str, Any] | None) -> str:
    """The page with the figures between their two marks.

    Args:
        page: the text of docs/benchmarks.md.
        name: the name of the results' file, which the first mark has.
        results: what `save_results` wrote; None where nothing was measured.

    Raises:
        ValueError: a mark is missing.
    """
    mark = _START.format(name)
    before, start, rest = page.partition(mark)
    _, end, after = rest.partition(_END)
    if not start or not end:
        raise ValueError(f"the page needs the marks {mark} and {_END}")
    table = NOT_MEASURED if results is None else to_markdown(results)
    return f"{before}{start}\n\n{table}\n\n{end}{after}"


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def main() -> None:
    """Rewrites the page."""
    page = PAGE.read_text(encoding="utf-8")
    for name in TABLES:
        page = fill(page, name, read_results(name))
    PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
