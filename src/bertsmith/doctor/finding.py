"""What a check finds: a number, what it does to training, and the command that mends it."""

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["Example", "Finding", "Limits", "Severity", "percent", "shorten"]

Severity = Literal["info", "warning", "problem"]

_SHOWN_CHARS = 100


@dataclass(frozen=True)
class Example:
    """A place where a finding can be seen.

    Attributes:
        text: what stands there, shortened.
        where: the file and line, the token's id, or "".
    """

    text: str
    where: str = ""


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, or worth knowing.

    Attributes:
        name: its stable name, such as "one_sentence_documents".
        severity: info: worth knowing; warning: costs quality or time; problem: training on this
            doesn't do what it should.
        title: what was found, with its number.
        value: the number.
        threshold: where `severity` begins.
        effect: what it does to training.
        remedy: what to do about it.
        command: the command that does it, or "" where there is none; two are joined by `&&`.
        examples: where it can be seen, a few of them.
    """

    name: str
    severity: Severity
    title: str
    value: float
    threshold: float
    effect: str
    remedy: str
    command: str = ""
    examples: tuple[Example, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The finding as plain data, for machines."""
        return dataclasses.asdict(self)


@dataclass(frozen=True)
class Limits:
    """From which value on something is worth a note, a warning, or a problem; None for never.

    Example:
        >>> limits = Limits(warning=0.1, problem=0.5)
        >>> limits.crossed(0.05), limits.crossed(0.1), limits.crossed(0.7)
        (None, ('warning', 0.1), ('problem', 0.5))
        >>> Limits(warning=100, problem=10, below=True).crossed(7)
        ('problem', 10)
    """

    info: float | None = None
    warning: float | None = None
    problem: float | None = None
    below: bool = False

    def crossed(self, value: float) -> tuple[Severity, float] | None:
        """The worst limit that a value reaches (is under, where `below`), or None."""
        steps: list[tuple[Severity, float | None]] = [
            ("problem", self.problem),
            ("warning", self.warning),
            ("info", self.info),
        ]
        for severity, limit in steps:
            if limit is not None and (value < limit if self.below else value >= limit):
                return severity, limit
        return None


def percent(share: float) -> str:
    """A share in [0, 1] for people, with two digits that say something.

    Example:
        >>> percent(0.1243), percent(0.00042), percent(0.0), percent(1.0)
        ('12.4 %', '0.042 %', '0 %', '100 %')
    """
    number = 100 * share
    digits = 1 if number >= 1 else 2 if number >= 0.1 else 3
    text = f"{number:.{digits}f}"
    if share and not float(text):
        return "under 0.001 %"
    return (text.rstrip("0").rstrip(".") if "." in text else text) + " %"


def shorten(text: str, num_chars: int = _SHOWN_CHARS) -> str:
    r"""Text on one line, cut to a length, with nothing in it that a terminal can't show.

    Example:
        >>> shorten("one\n two\x92 three", 13)
        'one two\\x92 …'
    """
    # Far more than is shown, so that a text of megabytes isn't looked at as a whole.
    line = " ".join(text[: 8 * num_chars].split())
    line = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in line)
    return line if len(line) <= num_chars else line[: num_chars - 1] + "…"
