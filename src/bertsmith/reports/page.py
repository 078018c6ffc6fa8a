"""A page that opens offline: one HTML file, no scripts, no links to anywhere."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

import jinja2
import markupsafe

from bertsmith._files import atomic_file

__all__ = ["Figure", "Gallery", "Notice", "Page", "Samples", "Table", "Text", "write_page"]


@dataclass(frozen=True)
class Text:
    """A paragraph, or commands in a fixed-width block."""

    text: str
    is_code: bool = False
    kind: str = field(default="text", init=False)


@dataclass(frozen=True)
class Table:
    """Rows of cells under a header; the first column is text, the others are figures."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""
    kind: str = field(default="table", init=False)


@dataclass(frozen=True)
class Figure:
    """A plot with its caption."""

    svg: str
    caption: str
    kind: str = field(default="figure", init=False)


@dataclass(frozen=True)
class Gallery:
    """Plots side by side, as many as there is room for."""

    figures: Sequence[Figure]
    kind: str = field(default="gallery", init=False)


@dataclass(frozen=True)
class Samples:
    """Sentences with a blank, and what the model puts there, with probabilities in [0, 1]."""

    items: Sequence[tuple[str, Sequence[tuple[str, float]]]]
    kind: str = field(default="samples", init=False)


@dataclass(frozen=True)
class Notice:
    """Something found, as a card.

    Attributes:
        level: how bad it is, in a word: "problem", "warning" or "info".
        title: what was found.
        paragraphs: what it means and what to do, as (heading, text).
        command: a command that mends it, or "".
        examples: where it is seen, as (text, place).
        name: its name for machines.
    """

    level: str
    title: str
    paragraphs: Sequence[tuple[str, str]]
    command: str = ""
    examples: Sequence[tuple[str, str]] = ()
    name: str = ""
    kind: str = field(default="notice", init=False)


@dataclass(frozen=True)
class Page:
    """A report: headline figures, then sections of blocks.

    Attributes:
        title: the page's heading.
        lead: one paragraph below it.
        headline: (figure, what it is) pairs shown large.
        sections: (heading, blocks) in order.
        footer: versions, machine, date.
        is_wide: whether there is much to be put side by side.
    """

    title: str
    lead: str
    headline: Sequence[tuple[str, str]]
    sections: Sequence[tuple[str, Sequence[Text | Table | Figure | Gallery | Samples | Notice]]]
    footer: str
    is_wide: bool = False


def _with_code(text: str) -> markupsafe.Markup:
    """Text for a page, what stands between backticks set as code; all else is escaped."""
    pieces = text.split("`")
    if len(pieces) % 2 == 0:
        return markupsafe.escape(text)
    code = markupsafe.Markup("<code>{}</code>")
    set_pieces = (code.format(p) if n % 2 else markupsafe.escape(p) for n, p in enumerate(pieces))
    return markupsafe.Markup("").join(set_pieces)


def write_page(page: Page, path: Path) -> None:
    """Writes the page as one self-contained HTML file, in one step."""
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["with_code"] = _with_code
    template = resources.files("bertsmith.reports").joinpath("page.html.jinja")
    html = environment.from_string(template.read_text(encoding="utf-8")).render(page=page)
    with atomic_file(path) as temporary:
        # Names of files may hold what UTF-8 can't.
        temporary.write_text(html, encoding="utf-8", errors="backslashreplace")
