"""Comments and XML-like elements whose content is no text: dropped with what is in them."""

import re

__all__ = ["drop_elements"]

_DROPPED = (
    "ref|references|math|chem|ce|gallery|imagemap|timeline|score|graph|hiero|source|"
    "syntaxhighlight|pre|mapframe|maplink|templatedata|templatestyles|inputbox|categorytree|"
    "dynamicpagelist|includeonly|section|indicator|pagelist|pages|labeledsectiontransclusion"
)
_OPENING = re.compile(rf"<(?:!--|(?i:(nowiki|{_DROPPED})(?=[\s/>])([^<>]*+)>))")
_REFERENCE = re.compile(r"<(/?)(?i:ref)(?=[\s/>])")

# What means something in mark-up, as entities: they become characters again at the very end.
_LITERAL = {ord(c): f"&#{ord(c)};" for c in "&<>[]{}|'*#:;=!-_/ "}


def drop_elements(text: str) -> str:
    """Drops comments, references, formulas, galleries, code and the like; keeps `<nowiki>` text.

    Where one isn't closed, its opening tag alone is dropped; of a reference, the line.

    Example:
        >>> drop_elements("a<!-- b -->c<ref name=d>e</ref><ref name=d /><math>f")
        'acf'
    """
    return "".join(_Scan(text).pieces()) if "<" in text else text


class _Scan:
    """One walk through the text.

    Attributes:
        unclosed: kinds of elements that have no closing tag in the rest of the text; looking for
            it again each time would take time in the square of the length.
    """

    def __init__(self, text: str) -> None:
        self.text, self.unclosed = text, set[str]()

    def pieces(self) -> list[str]:
        text, pieces, position = self.text, list[str](), 0
        while match := _OPENING.search(text, position):
            pieces.append(text[position : match.start()])
            name = (match[1] or "!--").lower()
            if match[1] and match[2].endswith("/"):
                position = match.end()
            elif name == "ref":
                position = self._end_of_reference(match.end())
            else:
                inside, position = self._element(name, match.end())
                if name == "nowiki":
                    pieces.append(inside.translate(_LITERAL))
        pieces.append(text[position:])
        return pieces

    def _element(self, name: str, start: int) -> tuple[str, int]:
        """What stands between the tags, and where the text goes on."""
        if name in self.unclosed:
            return "", start
        closing = _closing(name).search(self.text, start)
        if closing is None:
            self.unclosed.add(name)
            return "", start
        return self.text[start : closing.start()], closing.end()

    def _end_of_reference(self, start: int) -> int:
        """References don't nest: where another opens first, this one was not closed."""
        following = _REFERENCE.search(self.text, start)
        if following and following[1]:
            return self.text.find(">", following.end()) + 1 or following.end()
        end = following.start() if following else len(self.text)
        line_end = self.text.find("\n", start, end)
        return line_end if line_end >= 0 else end


def _closing(name: str) -> re.Pattern[str]:
    return re.compile("-->" if name == "!--" else rf"</(?i:{name})\s*+>")
