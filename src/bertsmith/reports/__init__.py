"""Plots and self-contained HTML pages about a run."""

from bertsmith.reports.blanks import why_no_blanks
from bertsmith.reports.held_out import held_out_doubt
from bertsmith.reports.page import Figure, Gallery, Notice, Page, Samples, Table, Text, write_page
from bertsmith.reports.plots import Series, bar_plot, histogram_plot, line_plot
from bertsmith.reports.runs import write_run_report

__all__ = [
    "Figure",
    "Gallery",
    "Notice",
    "Page",
    "Samples",
    "Series",
    "Table",
    "Text",
    "bar_plot",
    "held_out_doubt",
    "histogram_plot",
    "line_plot",
    "why_no_blanks",
    "write_page",
    "write_run_report",
]
