"""Plots as SVG text, to be put into a page."""

import io
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, cast

__all__ = ["Series", "bar_plot", "histogram_plot", "line_plot"]

_COLOURS = ("#1f5fa8", "#d1641b", "#2e8540", "#8a3ffc", "#6b6b6b")
_STYLE: dict[str, Any] = {
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e4e4e4",
    "axes.axisbelow": True,
    "svg.fonttype": "none",
    "svg.hashsalt": "bertsmith",
}


@dataclass(frozen=True)
class Series:
    """A line of a plot.

    Attributes:
        label: its name in the legend.
        x: horizontal values.
        y: vertical values, as many as `x`.
        dashed: for baselines.
    """

    label: str
    x: Sequence[float]
    y: Sequence[float]
    dashed: bool = False


def line_plot(series: Sequence[Series], *, x_label: str, y_label: str) -> str:
    """Draws lines.

    Returns:
        The plot as an `<svg>` element.

    Example:
        >>> svg = line_plot([Series("loss", [0, 1], [9.0, 5.0])], x_label="step", y_label="nats")
        >>> svg.startswith("<svg"), "loss" in svg
        (True, True)
    """
    from matplotlib.figure import Figure

    with _style():
        figure = Figure(figsize=(6.0, 3.2), layout="constrained")
        axes = figure.subplots()
        for line, colour in zip(series, _COLOURS * len(series), strict=False):
            style = "--" if line.dashed else "-"
            axes.plot(line.x, line.y, style, color=colour, label=line.label, linewidth=1.8)
        axes.set_xlabel(x_label)
        axes.set_ylabel(y_label)
        axes.set_ylim(bottom=0)
        axes.legend(frameon=False)
        return _svg(figure)


def bar_plot(
    labels: Sequence[str],
    heights: Sequence[float],
    deviations: Sequence[float],
    points: Sequence[Sequence[float]],
    *,
    y_label: str,
) -> str:
    """Draws bars with their standard deviation and the single values as dots.

    Args:
        labels: one name a bar.
        heights: means.
        deviations: standard deviations.
        points: the values behind each mean.
        y_label: what is measured.

    Returns:
        The plot as an `<svg>` element.
    """
    from matplotlib.figure import Figure

    with _style():
        figure = Figure(figsize=(6.0, 3.2), layout="constrained")
        axes = figure.subplots()
        axes.grid(visible=False, axis="x")
        positions = range(len(labels))
        axes.bar(
            positions, heights, yerr=deviations, color=_COLOURS[: len(labels)], capsize=6, width=0.5
        )
        for position, values in zip(positions, points, strict=True):
            axes.plot([position] * len(values), values, "o", color="#222222", markersize=4)
        axes.set_xticks(positions, labels)
        axes.set_ylabel(y_label)
        return _svg(figure)


def histogram_plot(bins: Sequence[str], shares: Sequence[float], *, x_label: str) -> str:
    """Draws how many there are in each bin, as touching bars.

    Args:
        bins: the bins' names, from left to right.
        shares: each bin's share of all, in [0, 1].
        x_label: what is counted.

    Returns:
        The plot as an `<svg>` element.

    Example:
        >>> svg = histogram_plot(["1", "2", "3–4"], [0.5, 0.3, 0.2], x_label="tokens")
        >>> svg.startswith("<svg"), "3–4" in svg
        (True, True)
    """
    from matplotlib.figure import Figure

    with _style():
        figure = Figure(figsize=(6.0, 2.6), layout="constrained")
        axes = figure.subplots()
        axes.grid(visible=False, axis="x")
        positions = range(len(bins))
        axes.bar(positions, [100 * share for share in shares], color=_COLOURS[0], width=0.96)
        axes.set_xticks(positions, bins, rotation=35, ha="right", rotation_mode="anchor")
        axes.set_xlabel(x_label)
        axes.set_ylabel("%")
        return _svg(figure)


def _style() -> AbstractContextManager[None]:
    import matplotlib as mpl

    context: AbstractContextManager[None] = mpl.rc_context(cast(Any, _STYLE))
    return context


def _svg(figure: Any) -> str:
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]
