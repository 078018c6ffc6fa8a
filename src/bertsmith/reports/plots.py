"""Plots as SVG text, to be put into a page."""

import io
import warnings
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, cast

__all__ = ["Series", "bar_plot", "histogram_plot", "line_plot"]

_COLOURS = (
    *("#1f5fa8", "#d1641b", "#2e8540", "#8a3ffc", "#6b6b6b"),
    *("#c2255c", "#0b7285", "#8d6e00"),
)
# Stretches between the numbers below a plot, at most; fewer where those are long.
_TICKS, _FEWER_TICKS, _LONG_NUMBER = 6, 4, 1e5
_INK, _GRID = "#1c1e21", "#e4e4e4"
# On a page the colours are the page's, light or dark; elsewhere those that stand here.
_VARIABLES = {
    _INK: "ink",
    _GRID: "line",
    **{colour: f"series-{number}" for number, colour in enumerate(_COLOURS, 1)},
}
_STYLE: dict[str, Any] = {
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": _INK,
    "text.parse_math": False,  # names of runs may hold dollar signs
    "axes.labelcolor": _INK,
    "axes.edgecolor": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": _GRID,
    "axes.axisbelow": True,
    "svg.fonttype": "none",
    "svg.hashsalt": "bertsmith",
}


@dataclass(frozen=True)
class Series:
    """A line of a plot.

    Attributes:
        label: its name in the legend; "" to leave it out.
        x: horizontal values.
        y: vertical values, as many as `x`.
        dashed: for baselines.
        colour: number of its colour, from 0; by default its place among the lines.
        width: of the line, in points.
    """

    label: str
    x: Sequence[float]
    y: Sequence[float]
    dashed: bool = False
    colour: int | None = None
    width: float = 1.8


def line_plot(
    series: Sequence[Series],
    *,
    x_label: str,
    y_label: str,
    from_zero: bool = True,
    logarithmic: bool = False,
    size: tuple[float, float] = (6.0, 3.2),
) -> str:
    """Draws lines.

    Args:
        series: the lines.
        x_label: what runs from left to right.
        y_label: what runs upwards.
        from_zero: whether the vertical axis begins at 0; it doesn't where a value is below.
        logarithmic: whether the vertical axis is; for positive values that differ by much.
        size: width and height, in inches of 72 points.

    Returns:
        The plot as an `<svg>` element.

    Example:
        >>> svg = line_plot([Series("loss", [0, 1], [9.0, 5.0])], x_label="step", y_label="nats")
        >>> svg.startswith("<svg"), "loss" in svg
        (True, True)
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

    highest = max((max(line.y, default=0) for line in series), default=0)
    lowest = min((min(line.y, default=0) for line in series), default=0)
    furthest = max((max(line.x, default=0) for line in series), default=0)
    with _style():
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.subplots()
        named = []
        for line, colour in zip(series, _COLOURS * len(series), strict=False):
            colour = colour if line.colour is None else _COLOURS[line.colour % len(_COLOURS)]
            style = "--" if line.dashed else "-"
            marker = "o" if len(line.x) == 1 else ""
            drawn = axes.plot(line.x, line.y, style + marker, color=colour, linewidth=line.width)
            named += [(line.label, *drawn)] if line.label else []
        axes.set_xlabel(x_label)
        axes.set_ylabel(y_label)
        # "1,200" and "1,500" need room beside each other, "1,000,000" more.
        places = _FEWER_TICKS if furthest >= _LONG_NUMBER else _TICKS
        axes.xaxis.set_major_locator(MaxNLocator(places, integer=True))
        axes.xaxis.set_major_formatter("{x:,.0f}")
        if logarithmic:
            axes.set_yscale("log")
            axes.yaxis.set_major_formatter(FuncFormatter(_plain))
            axes.yaxis.set_minor_formatter(NullFormatter())
        elif highest >= 1000:
            axes.yaxis.set_major_formatter("{x:,.0f}")
        if from_zero and lowest >= 0:
            axes.set_ylim(bottom=0)
        if named:
            labels, handles = zip(*named, strict=True)
            legend = axes.legend(handles, [""] * len(labels), frameon=False)
            # Given to matplotlib at once, a label that begins with "_" would be left out.
            for text, label in zip(legend.get_texts(), labels, strict=True):
                text.set_text(label)
        return _svg(figure)


def _plain(value: float, _: int | None = None) -> str:
    """A number of a logarithmic axis as people write it.

    Example:
        >>> [_plain(10.0**power) for power in (-2, 0, 4)]
        ['0.01', '1', '10,000']
    """
    return f"{value:,.0f}" if value >= 1 else f"{value:g}"


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
            axes.plot([position] * len(values), values, "o", color=_INK, markersize=4)
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
    with warnings.catch_warnings():
        # Of letters that its own font lacks; a page's reader shows them in another.
        warnings.filterwarnings("ignore", "Glyph .* missing from")
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue()
    for colour, name in _VARIABLES.items():
        text = text.replace(colour, f"var(--{name}, {colour})")
    return text[text.index("<svg") :]
