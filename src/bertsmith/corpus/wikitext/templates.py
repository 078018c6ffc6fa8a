"""Templates that wrap a piece of a sentence give that piece. All others are dropped."""

from collections.abc import Callable

__all__ = ["template_text"]

_Values = list[str]

_UNITS = {"C": "°C", "F": "°F", "km2": "km²", "m2": "m²", "sqmi": "sq mi", "sqft": "sq ft"}
_RANGES = {"to": "to", "-": "–", "–": "–", "and": "and", "or": "or", "by": "by", "x": "×"}


def template_text(content: str) -> str:
    """What a template shows, as far as it is a piece of the sentence around it.

    Args:
        content: what stands between the braces, with the templates inside already replaced.

    Example:
        >>> template_text("lang|fr|mot"), template_text("convert|5|to|7|km"), template_text("x|y")
        ('mot', '5 to 7 km', '')
    """
    name, bar, rest = content.partition("|")
    name = name.strip().replace("_", " ").lower()
    if not bar:
        return _ALONE.get(name, "")
    shown = _SHOWN.get(name) or (_first if name.startswith(("lang-", "link-")) else None)
    return shown(_values(rest)) if shown else ""


def _values(rest: str) -> _Values:
    """The values in order; `2=word` is one of them, `italic=no` is not."""
    values = list[str]()
    for value in rest.split("|"):
        key, equals, named = value.partition("=")
        if not equals or not key.strip().replace(" ", "").isalnum() or "<" in key:
            values.append(value.strip())
        elif key.strip() == str(len(values) + 1) or key.strip() in ("text", "quote"):
            values.append(named.strip())
    return values


def _nth(position: int) -> Callable[[_Values], str]:
    return lambda values: values[position] if len(values) > position else ""


_first, _second, _third = _nth(0), _nth(1), _nth(2)


def _last(values: _Values) -> str:
    return values[-1] if values else ""


def _joined(values: _Values) -> str:
    return "".join(values)


def _block(values: _Values) -> str:
    return f"\n\n{values[0]}\n\n" if values else ""


def _quantity(values: _Values) -> str:
    """`5|km|mi` → 5 km; `5|to|7|km` → 5 to 7 km; `5|ft|3|in` → 5 ft 3 in."""
    words = list[str]()
    for place, value in enumerate(values):
        if not words or _is_number(value) or value in _RANGES:
            words.append(_RANGES.get(value, value))
            continue
        words.append(_UNITS.get(value, value))
        # What follows is what to convert to or how to round, but for "3|in".
        if [_is_number(other) for other in values[place + 1 : place + 3]] != [True, False]:
            break
    return " ".join(words)


def _is_number(value: str) -> bool:
    return value[:1].isdigit() or (value[:1] in "-−+.½¼¾" and value not in _RANGES)


def _fraction(values: _Values) -> str:
    """`2` → 1/2; `1|2` → 1/2; `3|1|2` → 3 1/2."""
    return " ".join([*values[:-2], "/".join(["1", *values][-2:])]) if values else ""


def _century(values: _Values) -> str:
    """In French `XIX|e` → XIXe siècle; in Russian `5 км` → 5 км, on one line."""
    return f"{values[0]}{values[1]} siècle" if len(values) > 1 else _first(values)


def _as_of(values: _Values) -> str:
    return f"As of {values[0]}" if values else ""


_ALONE = {
    **dict.fromkeys(["nbsp", "space", "spaces", "zwsp", "sp"], " "),
    **dict.fromkeys(["ndash", "en dash", "–"], "–"),
    **dict.fromkeys(["mdash", "em dash", "—"], "—"),
    **dict.fromkeys(["snd", "spnd", "spaced ndash", "spaced en dash"], " – "),
    **dict.fromkeys(["'", "apostrophe"], "'"),
    "'s": "'s",
    "·": "·",
    "!": "|",
    "=": "=",
    "pi": "π",
    "shy": "",
    "1er": "1er",
}
_NAMES: dict[Callable[[_Values], str], str] = {
    _first: (
        "nowrap|nobr|nobreak|small|smaller|big|nihongo|nihongo2|vanchor|visible anchor|tooltip|"
        "abbr|val|nts|ill|interlanguage link|ipalink|keypress|kbd|em|strong|mvar|var|math|"
        "smallcaps|sc|nom|le|link|ilh|仮リンク|読み仮名|ルビ|ruby|нп|нп2|нп3|нп4|нп5|"
        "не переведено|не переведено 5|comment|sub|sup|formatnum|lsj|okina|angbr|numero|asiantitle|"
        'flag|linktext|"|ens|frs|las|its|ess|rus|els|grcs|ars|hes|jas|zhs|pls|nls|pts|trs|css'
    ),
    _second: "lang|langue|langnf|color|colour|font color|spell",
    _third: "tsl|translink",
    # `transl|ar|ALA|Allāh`, `lien|en|Rain`: what stands before the word may be left out.
    _last: "transl|transliteration|lien",
    _century: "s|s-",
    " ".join: "date|date-",
    _joined: "chem|chem2|chemf|e",
    _block: "quote|blockquote|quotation|cquote|bq|citation bloc|zitat|cita|rquote|poemquote",
    _quantity: "convert|cvt|unité|unidad|unit|conversion",
    _as_of: "as of",
    _fraction: "frac|fraction|sfrac|bruch",
    (lambda values: f"c. {values[0]}" if values else ""): "circa|c.|ca.",
}
_SHOWN = {name: shown for shown, names in _NAMES.items() for name in names.split("|")}
