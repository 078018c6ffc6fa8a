"""What commands print: text for people, JSON for machines."""

import json
import re
import sys
from collections.abc import Sequence
from typing import Any

from bertsmith.errors import RecipeError

__all__ = ["emit_json", "parse_duration", "say", "table", "warn"]

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def say(text: str = "") -> None:
    """Prints a line for people on standard output."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def warn(text: str) -> None:
    """Prints a line on standard error."""
    sys.stderr.write(f"bertsmith: {text}\n")


def emit_json(value: Any) -> None:
    """Prints a value as one line of JSON on standard output."""
    say(json.dumps(value, ensure_ascii=False))


def table(rows: Sequence[tuple[str, str]]) -> None:
    """Prints names and values in two columns.

    Example:
        >>> table([("steps", "120"), ("held-out MLM accuracy", "31.0 %")])
          steps                  120
          held-out MLM accuracy  31.0 %
    """
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        say(f"  {name:<{width}}  {value}")


def parse_duration(text: str) -> float:
    """Reads "90s", "20m", "1.5h" or "2d" as seconds.

    Raises:
        RecipeError: it is none of these.

    Example:
        >>> parse_duration("20m")
        1200.0
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", text.strip())
    if match is None or float(match[1]) == 0:
        raise RecipeError("is no length of time", where=f"--budget {text}", fix="write 90s or 20m")
    return float(match[1]) * _UNITS[match[2]]
