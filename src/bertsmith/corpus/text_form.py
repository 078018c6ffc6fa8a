"""Telling Google's form from free text, and text from JSON lines."""

import json
from collections.abc import Iterable, Iterator
from itertools import groupby, islice
from typing import Literal

from bertsmith.corpus.splitting import split_paragraph

__all__ = ["are_json_lines", "guess_text_form"]

# Ends of sentences for each line (or line break).
_MANY, _FEW, _MOST = 0.2, 0.05, 0.5
_JSON_LINES = 10


def are_json_lines(lines: Iterable[str]) -> bool:
    """Whether a text's first ten lines that aren't blank, or all that there are, are JSON objects.

    Example:
        >>> are_json_lines(['{"text": "It rained."}', "", '{"text": "It was late."}'])
        True
        >>> are_json_lines(['{"text": "It rained."}', "{She} was late."])
        False
    """
    first = list(islice((line for line in lines if line.strip()), _JSON_LINES))
    return bool(first) and all(map(_is_json_object, first))


def _is_json_object(line: str) -> bool:
    if not line.lstrip().startswith("{"):
        return False
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def guess_text_form(
    lines: Iterable[str], language: str
) -> Literal["sentences", "paragraphs", "document"]:
    """Decides how a text file is laid out, from its first lines.

    Every line is cut into sentences by itself, which counts the ends of sentences inside lines;
    and so is every block between blank lines, its lines joined by spaces, which tells how many
    line breaks inside blocks are ends of sentences.

    - Few ends inside lines (at most one in 20 lines; or one in five lines, if line breaks are
      ends more often than that): a line is a sentence, Google's form. So is text without
      punctuation.
    - Otherwise, if at least half of the line breaks are ends of sentences: a line is a paragraph,
      and a blank line ends a document.
    - Otherwise lines were broken to fit a page, or every block is one paragraph: the file is one
      document.

    Args:
        lines: the first lines, without line feeds.
        language: language code for the sentence splitter.

    Example:
        >>> guess_text_form(["The rain had ceased.", "It was late.", "", "Mr. Beard rose."], "en")
        'sentences'
        >>> guess_text_form(["The rain had", "ceased. It was", "late. He rose."], "en")
        'document'
    """
    num_lines = num_breaks = ends_inside = ends_at_breaks = 0
    for block in _blocks(lines):
        breaks = set(_ends(block, separator=1))
        ends = set(_ends(split_paragraph(" ".join(block), language), separator=0))
        num_lines += len(block)
        num_breaks += len(breaks)
        ends_inside += sum(len(split_paragraph(line, language)) - 1 for line in block)
        ends_at_breaks += len(ends & breaks)
    wrapped = num_breaks >= _MOST * num_lines and ends_inside > ends_at_breaks
    if ends_inside <= (_FEW if wrapped else _MANY) * num_lines:
        return "sentences"
    if num_breaks and ends_at_breaks >= _MOST * num_breaks:
        return "paragraphs"
    return "document"


def _blocks(lines: Iterable[str]) -> Iterator[list[str]]:
    stripped = (" ".join(line.split()) for line in lines)
    for filled, block in groupby(stripped, key=bool):
        if filled:
            yield list(block)


def _ends(pieces: list[str], separator: int) -> Iterator[int]:
    """Where every piece but the last ends, in the joined text."""
    position = 0
    for piece in pieces[:-1]:
        position += len(piece) + separator
        yield position
