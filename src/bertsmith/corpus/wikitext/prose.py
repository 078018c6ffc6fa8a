"""Text without templates, tables and links → paragraphs."""

import re
from collections.abc import Iterator

from bertsmith.corpus.wikitext.tidying import tidy

__all__ = ["paragraphs"]

_EXTERNAL_LINK = re.compile(r"\[(?i:https?:|ftp:|mailto:|news:|irc:|//)[^\s\[\]]*+([^\[\]\n]*+)\]")
_TAG = re.compile(r"</?([a-zA-Z][a-zA-Z0-9]*+)(?:\s[^<>]*+|/)?>")
_QUOTES = re.compile(r"'{2,}+")
_SWITCH = re.compile(r"__([^\W_]++(?:_[^\W_]++)*+)__")
_VARIANT = re.compile(r"-\{([^{}]*+)\}-")
_BLOCKS = frozenset(
    [
        "p",
        "div",
        "center",
        "blockquote",
        "poem",
        "li",
        "tr",
        "td",
        "th",
        "caption",
        "dd",
        "dt",
        "hr",
    ]
)

# First characters of lines that are lists, indented formulas and notes, or what is left of tables.
_NO_TEXT = "*#:;|!"


def paragraphs(text: str) -> Iterator[str]:
    r"""Yields the paragraphs of a section.

    Lines that follow one another are one paragraph; lists are dropped, and so are words that only
    announce them ("They are:").

    Example:
        >>> list(paragraphs("''One''\nline.\n\nTwo. They are:\n* a\n* b\n"))
        ['One line.', 'Two.']
    """
    lines, announcing = list[str](), ""
    for line in [*_plain(text).split("\n"), "", "*"]:
        line = line.strip()
        if line and line[0] not in _NO_TEXT and not line.startswith("----"):
            lines.append(line)
            continue
        if lines and announcing:
            yield announcing
        if lines:
            announcing, lines = tidy(" ".join(lines)), []
            if announcing and announcing[-1] not in ":：":
                yield announcing
                announcing = ""
        if line and announcing:
            announcing = announcing[: _end_of_last_sentence(announcing)]
            if any(map(str.isalnum, announcing)):
                yield announcing
            announcing = ""


def _plain(text: str) -> str:
    """Takes away the mark-up that stands in a line."""
    if "-{" in text:
        text = _VARIANT.sub(_variant, text)
    if "[" in text:
        text = _EXTERNAL_LINK.sub(r"\1", text)
    if "__" in text:
        text = _SWITCH.sub(lambda match: match[0] if match[1].islower() else "", text)
    if "''" in text:
        text = _without_quotes(text)
    return _TAG.sub(_tag, text) if "<" in text else text


def _tag(match: re.Match[str]) -> str:
    name = match[1].lower()
    return "\n\n" if name in _BLOCKS else " " if name == "br" else ""


def _variant(match: re.Match[str]) -> str:
    """Chinese that is shown in one of several scripts: the first, or what all share."""
    flags, bar, text = match[1].rpartition("|")
    if bar and set(flags.replace(" ", "")) & set("AHT-"):
        return ""
    first = text.partition(";")[0]
    return first.partition(":")[2].strip() or first


def _without_quotes(text: str) -> str:
    """Drops the marks for italics and bold; `l'''amour''` is an apostrophe and italics."""
    lines = text.split("\n")
    for number, line in enumerate(lines):
        if "''" in line:
            runs = [len(run) for run in _QUOTES.findall(line)]
            odd_bold = sum(run in (3, 5) for run in runs) % 2 and 3 in runs
            if odd_bold and sum(run in (2, 5) for run in runs) % 2:
                line = _with_apostrophe(line)
            lines[number] = _QUOTES.sub(lambda run: "'" if len(run[0]) == 4 else "", line)
    return "\n".join(lines)


def _with_apostrophe(line: str) -> str:
    """Of the marks of three, MediaWiki takes the first that follows a single letter."""
    marks = [mark for mark in _QUOTES.finditer(line) if len(mark[0]) == 3]

    def rank(mark: re.Match[str]) -> int:
        before = line[max(mark.start() - 2, 0) : mark.start()]
        return 2 if before[-1:] in ("", " ") else 1 if before[:1] not in ("", " ") else 0

    best = min(marks, key=rank)
    return f"{line[: best.start()]}&#39;{line[best.end() :]}"


def _end_of_last_sentence(text: str) -> int:
    ends = [text.rfind(mark) + 1 for mark in (". ", "! ", "? ", '." ', ".” ", "。", "！", "？")]
    return max(ends)
