"""What the doctor says about one corpus, vocabulary, store or run."""

import dataclasses
from dataclasses import dataclass
from typing import Any

from bertsmith.doctor.finding import Finding, Severity
from bertsmith.doctor.histogram import Histogram

__all__ = ["Examination", "Fact"]

_ORDER: dict[Severity, int] = {"problem": 0, "warning": 1, "info": 2}


@dataclass(frozen=True)
class Fact:
    """A number that was measured, whether it is good or bad.

    Attributes:
        name: its stable name, such as "num_documents".
        value: the number, or a text for what isn't one.
        label: what it is, for people.
        text: the number with its unit, for people.
        is_estimate: whether it was measured on a sample, and stands for the whole.
    """

    name: str
    value: float | str
    label: str
    text: str
    is_estimate: bool = False


@dataclass(frozen=True)
class Examination:
    """The result of examining something.

    Attributes:
        kind: "corpus", "vocab", "store" or "run".
        subject: what was examined, as it was named.
        facts: what was measured.
        histograms: lengths.
        findings: what is wrong or worth knowing, the worst first.
        unchecked: what could not be checked, and why.
    """

    kind: str
    subject: str
    facts: tuple[Fact, ...]
    histograms: tuple[Histogram, ...]
    findings: tuple[Finding, ...]
    unchecked: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        by_severity = sorted(self.findings, key=lambda found: (_ORDER[found.severity], found.name))
        object.__setattr__(self, "findings", tuple(by_severity))

    @property
    def has_problem(self) -> bool:
        """Whether one of the findings is a problem."""
        return any(found.severity == "problem" for found in self.findings)

    def count(self, severity: Severity) -> int:
        """How many findings are of a severity."""
        return sum(found.severity == severity for found in self.findings)

    def to_json(self) -> dict[str, Any]:
        """The examination as plain data, for machines."""
        return {
            "kind": self.kind,
            "subject": self.subject,
            "facts": {fact.name: fact.value for fact in self.facts},
            "estimates": [fact.name for fact in self.facts if fact.is_estimate],
            "histograms": {shape.name: _histogram_json(shape) for shape in self.histograms},
            "findings": [found.to_json() for found in self.findings],
            "unchecked": list(self.unchecked),
        }


def _histogram_json(histogram: Histogram) -> dict[str, Any]:
    fields = dataclasses.asdict(histogram)
    return {key: value for key, value in fields.items() if key not in ("name", "greatest")}
