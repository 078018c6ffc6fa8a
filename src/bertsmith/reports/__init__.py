"""Plots and self-contained HTML pages about a run."""

from bertsmith.reports.page import Figure, Notice, Page, Samples, Table, Text, write_page
from bertsmith.reports.plots import Series, bar_plot, histogram_plot, line_plot

__all__ = [
    "Figure",
    "Notice",
    "Page",
    "Samples",
    "Series",
    "Table",
    "Text",
    "bar_plot",
    "histogram_plot",
    "line_plot",
    "write_page",
]
