"""The curves of one run or several: losses, accuracies, learning rate, and what the machine did."""

import statistics
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import numpy as np

from bertsmith.reports.page import Figure
from bertsmith.reports.plots import Series, line_plot
from bertsmith.reports.score_labels import pairs_title
from bertsmith.training import RunLog

__all__ = ["curves", "own_scores"]

_SIZE = (5.0, 2.9)
_MOST_POINTS, _FEW_POINTS = 300, 5
_BASELINES = {
    "mlm_loss": ("unigram_loss", "knows no context"),
    "mlm_accuracy": ("unigram_accuracy", "knows no context"),
    "ltr_loss": ("unigram_loss", "knows no context"),
    "ltr_accuracy": ("unigram_accuracy", "knows no context"),
    "nsp_accuracy": ("majority_accuracy", "always the more frequent label"),
}
_NAMES = {"mlm": "Masked LM", "ltr": "Left to right"}
_GREY = 4
# A loss that is so many times another hides how that one falls.
_HIDES = 10.0


def curves(runs: Sequence[RunLog], labels: Sequence[str], x: str) -> list[Figure]:
    """All plots that the runs have points for.

    Args:
        runs: what is plotted, a colour each.
        labels: what the legend calls them.
        x: "step" or "seconds".
    """
    plots = _Plots(runs, labels, x)
    figures = [
        plots.score(name, "" if name == "regression_loss" else "nats")
        for name in plots.names("_loss")
    ]
    figures += [plots.score(name, "% right") for name in plots.names("_accuracy")]
    figures += [plots.score(name, "") for name in own_scores(runs)]
    figures += [
        plots.machine("learning_rate", "Learning rate", "", lambda value: value),
        plots.machine("tokens_per_second", "Speed", "real tokens/s", lambda value: value),
        plots.machine("mfu", "Share of the hardware's limit", "%", lambda value: 100 * value),
        plots.machine("waiting_share", "Waiting for data", "%", lambda value: 100 * value),
    ]
    return [figure for figure in figures if figure is not None]


def own_scores(runs: Sequence[RunLog]) -> list[str]:
    """Scores of a task, such as "accuracy" or "f1": neither a loss nor one of pre-training."""
    names = dict.fromkeys(name for run in runs for name in run.scores)
    return [name for name in names if not name.endswith(("_loss", "_accuracy"))]


class _Plots:
    """Draws one quantity of all runs."""

    def __init__(self, runs: Sequence[RunLog], labels: Sequence[str], x: str) -> None:
        self.runs, self.labels, self.x = runs, labels, x
        self.x_label = "optimizer updates" if x == "step" else "seconds of training"

    def names(self, ending: str) -> list[str]:
        """The values with an ending, of training or on held-out data; baselines left out."""
        baselines = {name for name, _ in _BASELINES.values()}
        first = (run.of_kind(kind)[:1] for kind in ("train", "evaluation") for run in self.runs)
        found = dict.fromkeys(name for records in first for record in records for name in record)
        return [name for name in found if name.endswith(ending) and name not in baselines]

    def score(self, name: str, y_label: str) -> Figure | None:
        """A loss or a score, in training (thin) and on held-out data."""
        scale = 100.0 if name.endswith("_accuracy") else 1.0
        lines = list(self._score_lines(name, scale))
        if not lines:
            return None
        is_wide = name.endswith("_loss") and self._differ_much(name)
        lines += self._baseline(name, scale)
        plot = line_plot(
            lines,
            x_label=self.x_label,
            y_label=y_label or name,
            from_zero=not name.endswith("_loss"),
            logarithmic=is_wide,
            size=_SIZE,
        )
        has_both = len({line.width for line in lines if not line.dashed}) > 1
        thin = "; thin: training" if has_both and len(self.runs) > 1 else ""
        scaled = " (logarithmic)" if is_wide else ""
        return Figure(plot, _caption(name, pairs_title(self.runs)) + scaled + thin)

    def _differ_much(self, name: str) -> bool:
        """Whether a run's losses are so far above another's that they would hide them."""
        both = [
            run.series("evaluation", name)[1] + run.series("train", name)[1] for run in self.runs
        ]
        tops = [max(values) for values in both if values]
        return max(tops) > _HIDES * min(tops)

    def _score_lines(self, name: str, scale: float) -> Iterator[Series]:
        """Two lines a run; of several runs each has one place in the legend."""
        for number, (run, label) in enumerate(zip(self.runs, self.labels, strict=True)):
            is_named = False
            for kind, what in (("evaluation", "held out"), ("train", "training")):
                points = run.series(kind, name, self.x)
                at, values = _full(*points) if kind == "train" else points
                if values:
                    single = len(self.runs) == 1
                    colour = (1 if kind == "train" else 0) if single else number
                    called = what if single else "" if is_named else label
                    is_named = True
                    width = 1.0 if kind == "train" else 2.0
                    xs, ys = _thinned(at, [scale * value for value in values])
                    yield Series(called, xs, ys, colour=colour, width=width)

    def _baseline(self, name: str, scale: float) -> Iterator[Series]:
        """That of the first run that has one; another phase's examples have another.

        Before the first evaluation it is what the run's start says.
        """
        baseline, label = _BASELINES.get(name, ("", ""))
        ends = [at for run in self.runs for at in run.series("train", name, self.x)[0]]
        kinds = [(run, kind) for kind in ("evaluation", "start") for run in self.runs]
        found = (run.series(kind, baseline, self.x) for run, kind in kinds)
        at, values = next((points for points in found if points[1]), ([], []))
        if not (values and ends):
            return
        xs, ys = [0.0], [values[0]]
        for number, (before, after) in enumerate(pairwise(values)):
            if after != before:  # some time after the evaluation before
                xs += [at[number]] * 2
                ys += [before, after]
        xs, ys = [*xs, max(*ends, at[-1])], [*ys, values[-1]]
        yield Series(label, xs, [scale * y for y in ys], True, _GREY, 1.2)

    def machine(
        self, name: str, caption: str, y_label: str, scaled: Callable[[float], float]
    ) -> Figure | None:
        """What a run's training records say about itself."""
        lines = []
        for number, (run, label) in enumerate(zip(self.runs, self.labels, strict=True)):
            at, values = _full(*run.series("train", name, self.x))
            if values:
                xs, ys = _thinned(at, [scaled(value) for value in values])
                called = label if len(self.runs) > 1 else ""
                lines.append(Series(called, xs, ys, colour=number, width=1.4))
        if not lines:
            return None
        plot = line_plot(lines, x_label=self.x_label, y_label=y_label, size=_SIZE)
        return Figure(plot, caption)


def _caption(name: str, pairs: str) -> str:
    """What a plot shows.

    Args:
        name: the score.
        pairs: what pairs are about.

    Example:
        >>> _caption("mlm_loss", ""), _caption("accuracy", "")
        ('Masked LM: loss', 'accuracy, on held-out data')
    """
    kind, _, what = name.rpartition("_")
    if not kind or what not in ("loss", "accuracy"):
        return f"{name}, on held-out data"
    names = {**_NAMES, "nsp": pairs}
    title = names.get(kind, kind.replace("_", " ").capitalize())
    return f"{title}: {what}"


def _full(x: list[float], y: list[float]) -> tuple[list[float], list[float]]:
    """Without lines that an evaluation or the end cut short: means of few updates jump about.

    A line is short beside those next to it: where all are, the run logs more often there, or is
    faster.

    Example:
        >>> _full([20, 40, 43, 60, 80], [7.0, 6.0, 9.0, 5.9, 5.8])
        ([20, 40, 60, 80], [7.0, 6.0, 5.9, 5.8])
        >>> len(_full([20, 40, 60, 80, 82, 84, 86], [7.0, 6.0, 5.9, 5.8, 5.7, 5.6, 5.5])[0])
        7
    """
    if len(x) < _FEW_POINTS:
        return x, y
    gaps = [at - before for before, at in pairwise([0.0, *x])]
    # A stretch of three or more has the median of five itself; one or two cut lines haven't.
    usual = [statistics.median(gaps[max(n - 2, 0) : n + 3]) for n in range(len(gaps))]
    kept = [n for n, gap in enumerate(gaps) if gap >= usual[n] / 2]
    return [x[n] for n in kept], [y[n] for n in kept]


def _thinned(x: list[float], y: list[float]) -> tuple[list[float], list[float]]:
    """At most some hundred points, each the mean of its neighbours."""
    if len(x) <= _MOST_POINTS:
        return x, y
    parts = np.array_split(np.array([x, y]), _MOST_POINTS, axis=1)
    means = np.stack([part.mean(axis=1) for part in parts])
    return means[:, 0].tolist(), means[:, 1].tolist()
