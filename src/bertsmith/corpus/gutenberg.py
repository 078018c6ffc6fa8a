"""Project Gutenberg's header and licence around a book."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain

__all__ = ["without_licence"]

_SEARCHED_CHARS = 64 * 2**10
_START = re.compile(r"\*\s*\*\s*\*\s*START OF (?:TH[EI]S? )?PROJECT GUTENBERG", re.IGNORECASE)
_SMALL_PRINT = re.compile(r"\*END\*?\s*THE SMALL PRINT", re.IGNORECASE)
_END = re.compile(
    r"\*\s*\*\s*\*\s*END OF (?:TH[EI]S? )?PROJECT GUTENBERG"
    r"|End of (?:The |This )?Project Gutenberg['’]?s? ",
    re.IGNORECASE,
)

_Lines = Iterable[tuple[int, str]]


def without_licence(lines: _Lines, counts: Counter[str]) -> Iterator[tuple[int, str]]:
    """Leaves out Project Gutenberg's header and licence, and counts "licence_lines_dropped".

    A file without the mark that ends such a header, in its first 64 KiB, passes unchanged. Where
    several books stand in one file, a blank line takes the place of what is between them.

    Args:
        lines: numbers and texts of a file's lines.
        counts: where to count.

    Example:
        >>> book = ["Title", "*** START OF THE PROJECT GUTENBERG EBOOK RAIN ***", "It rained."]
        >>> book += ["*** END OF THE PROJECT GUTENBERG EBOOK RAIN ***", "Donate."]
        >>> counts = Counter()
        >>> list(without_licence(enumerate(book, 1), counts)), counts["licence_lines_dropped"]
        ([(3, 'It rained.')], 4)
    """
    lines = iter(lines)
    first, size, starts = list[tuple[int, str]](), 0, 0
    for number, text in lines:
        first.append((number, text))
        size += len(text) + 1
        if _is_start(text):
            starts = len(first)
        if size >= _SEARCHED_CHARS or (starts and _is_end(text)):
            break
    if not starts:
        yield from first
        yield from lines
        return
    dropped = starts
    ended = False
    for number, text in chain(first[starts:], lines):
        if ended and _is_start(text):
            ended, text = False, ""
            dropped += 1
        ended = ended or _is_end(text)
        if ended:
            dropped += 1
        else:
            yield number, text
    counts["licence_lines_dropped"] += dropped


def _is_start(text: str) -> bool:
    return "*" in text and bool(_START.search(text) or _SMALL_PRINT.search(text))


def _is_end(text: str) -> bool:
    return "utenberg" in text.lower() and bool(_END.search(text))
