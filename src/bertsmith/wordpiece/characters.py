"""Google's character classes, read from the Unicode tables of the running Python.

The categories come from `unicodedata`, as in google-research/bert, so a new Unicode version can
move a character from one class to another; `unicodedata.unidata_version` says which one is used.
"""

import re
import unicodedata

__all__ = [
    "CHUNK",
    "CLEANING",
    "SPLITTING",
    "UNLIKE_SPLIT",
    "is_chinese",
    "is_control",
    "is_punctuation",
    "is_white_space",
]

CHINESE_RANGES = (
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F),
    (0x2B820, 0x2CEAF),
    (0x2F800, 0x2FA1F),
)

# Control characters to Google, which drops them and so joins what stands on both sides, but white
# space to `str.split`.
_JOINED_CHARACTERS = "\x0b\x0c\x1c\x1d\x1e\x1f\x85"

# What separates words: the characters that cleaning turns into a space (tab, line feed, carriage
# return and category Zs), and the two that only the later `str.split` takes for white space.
_SEPARATORS = "\t\n\r \xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"

_CHINESE = "".join(f"{chr(first)}-{chr(last)}" for first, last in CHINESE_RANGES)

UNLIKE_SPLIT = re.compile(f"[{_JOINED_CHARACTERS}{_CHINESE}]")
"""Finds what `str.split` would do otherwise than Google: what it splits at, or doesn't."""

CHUNK = re.compile(f"[{_CHINESE}]|[^{_SEPARATORS}{_CHINESE}]+")
"""Finds chunks: a Chinese character by itself, or a run without white space or Chinese ones."""


def is_chinese(character: str) -> bool:
    """Whether Google treats the character as a word of its own, being a CJK ideograph."""
    point = ord(character)
    return any(first <= point <= last for first, last in CHINESE_RANGES)


def is_control(character: str) -> bool:
    r"""Whether cleaning drops the character: NUL, U+FFFD, category Cc or Cf; tab and line stay.

    Example:
        >>> [is_control(c) for c in "\0\u200b\ufffd\n"]
        [True, True, True, False]
    """
    if character in "\t\n\r":
        return False
    return character == "\ufffd" or unicodedata.category(character) in ("Cc", "Cf")


def is_white_space(character: str) -> bool:
    """Whether cleaning turns the character into a space."""
    return character in "\t\n\r" or unicodedata.category(character) == "Zs"


def is_punctuation(character: str) -> bool:
    """Whether the character is a word of its own: a category P, or an ASCII sign such as `$`."""
    if character.isascii() and character.isprintable():
        return not (character.isalnum() or character == " ")
    return unicodedata.category(character).startswith("P")


class _Cleaning(dict[int, str | None]):
    """A `str.translate` table: controls dropped, white space to a space, Chinese set apart."""

    def __missing__(self, point: int) -> str | None:
        character = chr(point)
        replacement: str | None = character
        if is_control(character):
            replacement = None
        elif is_white_space(character):
            replacement = " "
        elif is_chinese(character):
            replacement = f" {character} "
        self[point] = replacement
        return replacement


class _Splitting(dict[int, str | None]):
    """A `str.translate` table: punctuation set apart; where asked, accents dropped."""

    def __init__(self, *, strip_accents: bool) -> None:
        self.strip_accents = strip_accents

    def __missing__(self, point: int) -> str | None:
        character = chr(point)
        replacement: str | None = character
        if self.strip_accents and unicodedata.category(character) == "Mn":
            replacement = None
        elif is_punctuation(character):
            replacement = f" {character} "
        self[point] = replacement
        return replacement


CLEANING = _Cleaning()
"""The first step of Google's tokenizer, character by character."""

SPLITTING = {True: _Splitting(strip_accents=True), False: _Splitting(strip_accents=False)}
"""The last step, by whether accents are stripped (they are where text is lower-cased)."""
