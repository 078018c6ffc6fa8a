"""Templates, tables, lists in HTML and links: what nests, taken apart in one scan."""

import re
from collections import Counter

from bertsmith.corpus.wikitext.links import is_file, link_text
from bertsmith.corpus.wikitext.templates import template_text

__all__ = ["flatten"]

_TOKEN = re.compile(
    r"(\{\{|\}\}|\[\[|\]\](?!\](?!\]))|\n[ \t:]*+\{\||\n[ \t]*+\|\}(?!\})"
    r"|</?(?i:table|ul|ol|dl)(?=[\s/>])[^<>]*+>)"
)
# Deeper than any article. It bounds how often a piece of text is put together anew.
_MAX_DEPTH = 100
_KINDS = {"{{": "template", "}}": "/template", "[[": "link", "]]": "/link"}


def flatten(text: str) -> str:
    """Drops templates and tables, and puts its text in the place of every link.

    An opening mark that is never closed is dropped alone, and so is a closing mark that nothing
    opened.

    Example:
        >>> flatten("a {{b|{{c}}}} [[d|e]] [[File:f.png|thumb|g [[h]]]] {{ [[i]]")
        'a  e   i'
    """
    first, *rest = _TOKEN.split("\n" + text)
    nest = _Nest(first)
    for token, following in zip(rest[::2], rest[1::2], strict=True):
        kind = _KINDS.get(token) or _kind(token)
        if kind[0] == "/":
            nest.close(kind[1:])
        else:
            nest.open(kind)
        nest.pieces.append(following)
    return nest.end().removeprefix("\n")


def _kind(token: str) -> str:
    if token[0] == "<":
        name = token.strip("</>").split()[0].rstrip("/").lower()
        return f"/{name}" if token[1] == "/" else name
    return "table|" if token[-1] == "|" else "/table|"


class _Nest:
    """The text so far, and what is open in it, from the outside in.

    Attributes:
        pieces: the text so far.
    """

    def __init__(self, text: str) -> None:
        self.pieces = [text]
        self._open = list[tuple[str, int]]()
        self._num_open = Counter[str]()

    def open(self, kind: str) -> None:
        self._open.append((kind, len(self.pieces)))
        self._num_open[kind] += 1
        if len(self._open) > _MAX_DEPTH:
            outermost, _ = self._open.pop(0)
            self._num_open[outermost] -= 1

    def close(self, kind: str) -> None:
        """Closes the innermost one of a kind; what is open inside it was not closed."""
        if not self._num_open[kind] or (kind == "link" and self._open[-1][0] != "link"):
            return
        while self._open[-1][0] != kind:
            self._unclosed()
        start = self._pop()
        inside = "".join(self.pieces[start:])
        self.pieces[start:] = [_SHOWN.get(kind, _nothing)(inside)]

    def end(self) -> str:
        """What is left of the text."""
        while self._open:
            self._unclosed()
        return "".join(self.pieces)

    def _pop(self) -> int:
        kind, start = self._open.pop()
        self._num_open[kind] -= 1
        return start

    def _unclosed(self) -> None:
        """The innermost was not closed: what is in it is text, but for the opening line of some."""
        kind = self._open[-1][0]
        start = self._pop()
        starts_line = self.pieces[start - 1].endswith("\n")
        if (
            (kind == "link" and is_file(self.pieces[start]))
            or (kind == "template" and starts_line)
            or kind == "table|"
        ):
            rest = "".join(self.pieces[start:]).partition("\n")[2]
            self.pieces[start:] = ["\n" + rest]


def _nothing(inside: str) -> str:
    """Stands for a dropped table or list: a line that the next step knows for no text."""
    return "\n*\n"


_SHOWN = {"template": template_text, "link": link_text}
