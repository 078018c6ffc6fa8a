"""An examination as an HTML page."""

import importlib.metadata
from pathlib import Path

from bertsmith.doctor.examination import Examination
from bertsmith.doctor.finding import Finding
from bertsmith.doctor.histogram import Histogram
from bertsmith.reports import Figure, Notice, Page, Table, Text, histogram_plot, write_page

__all__ = ["write_examination"]

_LEADS = {
    "corpus": "The text that a vocabulary and pre-training data are made from.",
    "vocab": "A vocabulary, on the text that it is meant for.",
    "store": "Token ids, and the examples that an epoch of them gives.",
    "run": "A training run, by its recipe and its log.",
}


def write_examination(examination: Examination, path: Path) -> None:
    """Writes an examination as one self-contained HTML file."""
    write_page(_page(examination), path)


def _page(examination: Examination) -> Page:
    numbers = [
        (examination.count("problem"), "problem"),
        (examination.count("warning"), "warning"),
        (examination.count("info"), "note"),
    ]
    findings: list[Notice | Text] = [_notice(finding) for finding in examination.findings]
    findings += [Text(f"Not checked: {what}.") for what in examination.unchecked]
    facts = Table(("what", "number"), [(fact.label, fact.text) for fact in examination.facts])
    lengths = [_figure(histogram) for histogram in examination.histograms]
    return Page(
        title=f"Doctor: {examination.kind} {examination.subject}",
        lead=_LEADS[examination.kind],
        headline=[(str(n), name if n == 1 else f"{name}s") for n, name in numbers],
        sections=[
            ("Findings", findings or [Text("Nothing is wrong.")]),
            ("Measured", [facts]),
            *([("Lengths", lengths)] if lengths else []),
        ],
        footer=f"bertsmith {importlib.metadata.version('bertsmith')}",
    )


def _notice(finding: Finding) -> Notice:
    return Notice(
        finding.severity,
        finding.title,
        [("What it does:", finding.effect), ("What to do:", finding.remedy)],
        finding.command,
        [(example.text, example.where) for example in finding.examples],
        finding.name,
    )


def _figure(histogram: Histogram) -> Figure:
    first = next(place for place, count in enumerate(histogram.counts) if count)
    plot = histogram_plot(histogram.bins[first:], histogram.shares[first:], x_label=histogram.label)
    return Figure(plot, f"{histogram.label.capitalize()}: {histogram.summary}.")
