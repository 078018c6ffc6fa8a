"""The report of one run, or of several side by side."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bertsmith import __version__
from bertsmith._settings import INSTEAD_OF
from bertsmith._words import counted
from bertsmith.reports.blanks import filled_blanks
from bertsmith.reports.held_out import held_out_doubt
from bertsmith.reports.page import Gallery, Page, Table, Text, write_page
from bertsmith.reports.run_curves import curves, own_scores
from bertsmith.reports.score_labels import score_label
from bertsmith.tasks import with_main_metric
from bertsmith.training import RunLog

__all__ = ["write_run_report"]

# Characters of a setting that a table has room for.
_LONG = 40
# The least that a rate is of another one, if both are of one machine.
_ALIKE = 0.8


def write_run_report(
    runs: Sequence[RunLog],
    path: Path,
    *,
    x: str = "step",
    sentences: Sequence[str] = (),
) -> None:
    """Writes one self-contained HTML file about runs of pre-training or fine-tuning.

    Args:
        runs: at least one.
        path: the file.
        x: what curves are drawn over: "step" or "seconds".
        sentences: with a `[MASK]` or several each, to be filled by the runs' models; by default
            some English ones, where a model's vocabulary has their words.
    """
    judged = [with_main_metric(run) for run in runs]
    write_page(_page(judged, _short_names(runs), x, sentences), path)


def _page(runs: Sequence[RunLog], labels: Sequence[str], x: str, sentences: Sequence[str]) -> Page:
    single = len(runs) == 1
    settings = _settings(runs, labels)
    sections: list[tuple[str, list[Any]]] = [
        ("Results", [*map(Text, held_out_doubt(runs)), _scores(runs, labels)]),
        ("Curves", [Gallery(curves(runs, labels, x))]),
        ("Settings" if single else "Settings that differ", [settings]),
    ]
    samples = [block for run, label in zip(runs, labels, strict=True)
               for block in filled_blanks(run, label, sentences, single=single)]  # fmt: skip
    if samples:
        sections.insert(2, ("What it puts into a blank", samples))
    sections.append(("Machine and versions", [_machines(runs, labels)]))
    return Page(
        title=f"Run {labels[0]}" if single else f"{len(runs)} runs side by side",
        lead=" · ".join(_sentence(run) for run in runs[:1]) if single else ", ".join(labels),
        headline=_headline(runs[0]) if single else (),
        sections=sections,
        footer=f"bertsmith {__version__} report",
        is_wide=True,
    )


def _short_names(runs: Sequence[RunLog]) -> list[str]:
    """The folders' names, with what is before them only where they are the same."""
    names = [run.path.resolve().name for run in runs]
    if len(set(names)) == len(names):
        return names
    common = os.path.commonpath([run.path.resolve().parent for run in runs])
    return [os.path.relpath(run.path.resolve(), common) for run in runs]


def _sentence(run: RunLog) -> str:
    state = "finished" if run.is_finished else "not finished"
    what = "Pre-training" if run.is_pretraining else f"Fine-tuning {run.task}"
    size = run.facts.get("num_parameters")
    model = f" of {size / 1e6:,.1f} million parameters" if size else ""
    skipped = f", {run.num_skipped:,} of them skipped" if run.num_skipped else ""
    done = f"{counted(run.step, 'update')}{skipped} in {_time(run.seconds)}"
    return f"{what}{model}: {done}, {state}."


def _headline(run: RunLog) -> list[tuple[str, str]]:
    names = ["mlm_accuracy", "mlm_loss", "nsp_accuracy", *own_scores([run])[:3]]
    found = [(_score(n, run.scores[n]), score_label(n, [run])) for n in names if n in run.scores]
    rate = run.median("tokens_per_second")
    if rate is not None:
        found.append((f"{rate:,.0f}", "real tokens a second"))
    share = run.median("mfu")
    if share is not None:
        found.append((f"{share:.0%}", "of the hardware's limit"))
    return [*found, (_time(run.seconds), "of training")]


def _scores(runs: Sequence[RunLog], labels: Sequence[str]) -> Table:
    names = dict.fromkeys([name for run in runs for name in run.scores])
    rows = [
        (
            score_label(name, runs),
            *(_score(name, run.scores[name]) if name in run.scores else "" for run in runs),
        )
        for name in names
    ]
    course = [(label, *map(shown, runs)) for label, shown in _COURSE.items()]
    rows += [row for row in course if row[0] != _SKIPPED or any(row[1:])]
    return Table(("", *labels), rows)


def _settings(runs: Sequence[RunLog], labels: Sequence[str]) -> Table | Text:
    flat = [_in_force(dict(_flat(run.recipe))) for run in runs]
    names = dict.fromkeys(name for settings in flat for name in settings)
    rows = [
        (name, *(_shortened(settings.get(name, "")) for settings in flat))
        for name in names
        if len(runs) == 1 or len({settings.get(name) for settings in flat}) > 1
    ]
    return Table(("setting", *labels), rows) if rows else Text("All settings are the same.")


def _machines(runs: Sequence[RunLog], labels: Sequence[str]) -> Table:
    shown: dict[str, Callable[[Mapping[str, Any]], object]] = {
        "device": lambda facts: facts.get("device"),
        "processes": lambda facts: facts.get("processes"),
        "threads": lambda facts: facts.get("threads"),
        "precision": lambda facts: facts.get("precision"),
        "matrix products, measured": lambda facts: _rate(facts.get("matmul_flops_per_second")),
        "parameters": lambda facts: f"{facts['num_parameters']:,}" if facts else None,
        "bertsmith": lambda facts: facts.get("bertsmith_version"),
        "PyTorch": lambda facts: facts.get("torch_version"),
        "Python": lambda facts: facts.get("python_version"),
        "system": lambda facts: facts.get("system"),
        "store": lambda facts: facts.get("store"),
        "tokens in the store": lambda facts: _count(facts.get("num_tokens")),
        "examples an epoch": lambda facts: _count(facts.get("epoch_examples")),
        "held-out examples": lambda facts: _count(facts.get("evaluation_examples")),
    }
    rows = [(name, *(str(get(run.facts) or "") for run in runs)) for name, get in shown.items()]
    rows.append(("sittings", *(str(max(len(run.of_kind("start")), 1)) for run in runs)))
    return Table(("", *labels), [row for row in rows if any(row[1:])])


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        if isinstance(value, Sequence) and value and isinstance(value[0], Mapping):
            value = {str(number): item for number, item in enumerate(value)}  # phases
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        elif value not in (None, []):
            yield f"{prefix}{name}", str(value)


def _in_force(settings: dict[str, str]) -> dict[str, str]:
    """Without the settings instead of which another one counts."""
    idle = {replaced for other, replaced in INSTEAD_OF.items() if other in settings}
    return {name: value for name, value in settings.items() if name not in idle}


def _shortened(text: str) -> str:
    """The beginning and the end of what is long: paths often differ at the end alone."""
    return text if len(text) <= _LONG else f"{text[: _LONG // 2 - 1]}…{text[-_LONG // 2 :]}"


def _score(name: str, value: float) -> str:
    if name.endswith("_accuracy"):
        return f"{value:.1%}"
    return f"{value:.3f}" if name.endswith("_loss") else f"{value:,.4g}"


def _shown(run: RunLog, name: str, form: str) -> str:
    value = run.median(name)
    return "" if value is None else form.format(value)


def _epochs(run: RunLog) -> str:
    return "" if run.epochs is None else f"{run.epochs:,.2f}"


def _memory(run: RunLog) -> str:
    values = run.series("train", "peak_memory_bytes")[1]
    return f"{max(values) / 1e9:.2f} GB" if values else ""


def _share_of_limit(run: RunLog) -> str:
    """The share, and of what: two machines, or a busy and a quiet one, have other limits."""
    share = _shown(run, "mfu", "{:.1%}")
    rates = [start.get("matmul_flops_per_second") or 0.0 for start in run.of_kind("start")]
    is_one = rates and min(rates) > _ALIKE * max(rates) > 0  # sittings may be on other machines
    return f"{share} of {_rate(max(rates))}" if share and is_one else share


def _rate(rate: float | None) -> str:
    return f"{rate / 1e12:,.2f} TFLOP/s" if rate else ""


def _count(number: int | None) -> str:
    return f"{number:,}" if number else ""


def _time(seconds: float) -> str:
    """Seconds for people.

    Example:
        >>> _time(75), _time(5400), _time(200_000)
        ('1 min 15 s', '1 h 30 min', '2 d 7 h')
    """
    for unit, size, below, size_below in (
        ("d", 86400, "h", 3600),
        ("h", 3600, "min", 60),
        ("min", 60, "s", 1),
    ):
        if seconds >= size:
            whole, rest = divmod(seconds, size)
            return f"{whole:.0f} {unit} {rest // size_below:.0f} {below}"
    return f"{seconds:.1f} s"


_SKIPPED = "updates that were skipped"
# How a run went, for the table of results.
_COURSE: dict[str, Callable[[RunLog], str]] = {
    "updates": lambda run: f"{run.step:,}",
    _SKIPPED: lambda run: f"{run.num_skipped:,}" if run.num_skipped else "",
    "epochs": _epochs,
    "time": lambda run: _time(run.seconds),
    "real tokens a second, median": lambda run: _shown(run, "tokens_per_second", "{:,.0f}"),
    "share of the hardware's limit, median": lambda run: _share_of_limit(run),
    "time waiting for data, median": lambda run: _shown(run, "waiting_share", "{:.1%}"),
    "memory, most": _memory,
    "finished": lambda run: "yes" if run.is_finished else "no",
}
