"""One row a figure: what was measured, against what, and whether it reaches what was promised."""

import argparse
import datetime
import importlib.metadata
import json
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

__all__ = ["HEADER", "Figure", "print_table", "results_path", "save_results", "with_context"]


@dataclass(frozen=True)
class Figure:
    """One measured figure.

    Attributes:
        name: what was measured.
        ours: our value.
        unit: its unit.
        floor: what it must reach; of `ratio` where there is a reference, else of `ours`.
        bound: whether the floor is a least or a most.
        reference: the same of what it is compared with, measured in the same run; None for none.
        reference_name: what that is.
        details: every single measurement, and what else explains the figure.
    """

    name: str
    ours: float
    unit: str
    floor: float
    bound: Literal["at least", "at most"] = "at least"
    reference: float | None = None
    reference_name: str = ""
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def ratio(self) -> float | None:
        """Ours over the reference's."""
        return None if self.reference is None else self.ours / self.reference

    @property
    def verdict(self) -> str:
        """`ok`, or `SHORT` of the floor."""
        value = self.ours if self.ratio is None else self.ratio
        reached = value >= self.floor if self.bound == "at least" else value <= self.floor
        return "ok" if reached else "SHORT"

    def cells(self) -> list[str]:
        """The row of the table."""
        ratio, floor = "", f"{'≥' if self.bound == 'at least' else '≤'} {_number(self.floor)}"
        reference = ""
        if self.reference is not None and self.ratio is not None:
            ratio, floor = f"{self.ratio:.2f} ×", f"{floor} ×"
            reference = f"{_number(self.reference)} ({self.reference_name})"
        else:
            floor += f" {self.unit}"
        ours = f"{_number(self.ours)} {self.unit}"
        return [self.name, ours, reference, ratio, floor, self.verdict]


HEADER = ["name", "ours", "reference", "ratio", "floor", ""]


def print_table(figures: Sequence[Figure]) -> None:
    """Prints the figures, one row each."""
    rows = [HEADER, *(figure.cells() for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADER))]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print("  ".join(cells).rstrip(), flush=True)


def results_path(text: str) -> Path:
    """A path for `save_results` on a command line, looked at before anything is measured.

    Raises:
        argparse.ArgumentTypeError: nothing can be written there, or what is there are no results.
    """
    path = Path(text)
    try:
        _recorded(path)
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise argparse.ArgumentTypeError(f"{path}: {error.strerror}") from error
    except (ValueError, LookupError, TypeError) as error:
        raise argparse.ArgumentTypeError(f"{path} holds something else than results") from error
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise argparse.ArgumentTypeError(f"{path}: nothing can be written there")
    return path


def save_results(path: Path, figures: Sequence[Figure]) -> None:
    """Writes figures with machine, versions and date; those of other names in the file stay.

    Figures that stay, of another machine or other versions than this run's, say so themselves.
    """
    here = {"machine": _machine(), "versions": _versions()}
    context = {"measured": datetime.datetime.now(datetime.UTC).isoformat(timespec="minutes")}
    new = [
        {**asdict(figure), "ratio": figure.ratio, "verdict": figure.verdict, **context}
        for figure in figures
    ]
    names = {figure["name"] for figure in new}
    kept = [
        {name: value for name, value in figure.items() if here.get(name) != value}
        for figure in _recorded(path)
        if figure["name"] not in names
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    result = {**here, "figures": [*kept, *new]}
    path.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _recorded(path: Path) -> list[dict[str, Any]]:
    """The figures of a file, each with its machine and versions; none where it is new or empty."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    return with_context(json.loads(text)) if text else []


def with_context(results: dict[str, Any]) -> list[dict[str, Any]]:
    """The figures of results, each with the machine and versions that it was measured with."""
    context = {name: results[name] for name in ("machine", "versions")}
    return [{**context, **figure} for figure in results["figures"]]


def _number(value: float) -> str:
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"


def _machine() -> dict[str, Any]:
    model = platform.processor()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    cores = len(os.sched_getaffinity(0))
    found = {"processor": model, "cores": cores, "memory_GiB": round(memory)}
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        found["gpu"] = torch.cuda.get_device_name()
    return found


def _versions() -> dict[str, str]:
    names = ("bertsmith", "numpy", "pyarrow", "tokenizers", "transformers", "torch", "sentencex")
    found = {"python": sys.version.split()[0]}
    for name in names:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
