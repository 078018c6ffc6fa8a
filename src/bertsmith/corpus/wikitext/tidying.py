"""What dropped templates and references leave behind in a paragraph."""

import html
import re

__all__ = ["tidy"]

_AFTER_OPENING = re.compile(r"([(\[（［])[\s,;:，；：、]++(?:[/–—-](?=[\s,;)）]))*+")
# Where a run of signs is looked at from each of them, it takes time in the square of its length.
_BEFORE_CLOSING = re.compile(r"(?<![\s,;，；、])[\s,;，；、]++([)\]）］])")
_EMPTY = re.compile(r"\s?(?:\(\)|\[\]|（）|［］|“”|「」|『』|《》)")
_REPEATED = re.compile(r"([,;，；、])(?:\s*+[,;，；、])++")
# No character has such a number, and Python refuses to read very long ones.
_LONG_NUMBER = re.compile(r"&#[0-9]{9,}+;?")
_SPACE_BEFORE = re.compile(r" ([,.])(?=\s|$)")


def tidy(text: str) -> str:
    """Decodes entities, and mends brackets, commas and spaces around what was dropped.

    Returns:
        The paragraph, or "" if no letter or digit is left in it.

    Example:
        >>> tidy("Bohr ( ; , born 1885 ) &amp;  ({{}}, his son , won.")
        'Bohr (born 1885) & ({{}}, his son, won.'
    """
    if "&" in text:
        text = html.unescape(_LONG_NUMBER.sub("\ufffd", text))
    text = " ".join(text.split())
    if any(bracket in text for bracket in "([（［「『《“"):
        text = _AFTER_OPENING.sub(lambda match: match[1] or match[2], text)
        text = _BEFORE_CLOSING.sub(r"\1", text)
        text = _EMPTY.sub("", text)
    text = _REPEATED.sub(r"\1", text)
    text = _SPACE_BEFORE.sub(r"\1", text).strip(" ,;")
    return text if any(map(str.isalnum, text)) else ""
