"""Which script letters are of, and which scripts languages are written in."""

import re
from collections import Counter

__all__ = ["SCRIPTS_OF", "script_counts"]

_RANGES = {
    "Latin": "\u00aa\u00ba\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u02af\u1e00-\u1eff",
    "Greek": "\u0370-\u03ff\u1f00-\u1fff",
    "Cyrillic": "\u0400-\u052f",
    "Armenian": "\u0530-\u058f",
    "Hebrew": "\u0590-\u05ff",
    "Arabic": "\u0600-\u06ff\u0750-\u077f\u08a0-\u08ff\ufb50-\ufdff\ufe70-\ufefc",
    "Devanagari": "\u0900-\u097f",
    "Bengali": "\u0980-\u09ff",
    "Gurmukhi": "\u0a00-\u0a7f",
    "Gujarati": "\u0a80-\u0aff",
    "Oriya": "\u0b00-\u0b7f",
    "Tamil": "\u0b80-\u0bff",
    "Telugu": "\u0c00-\u0c7f",
    "Kannada": "\u0c80-\u0cff",
    "Malayalam": "\u0d00-\u0d7f",
    "Sinhala": "\u0d80-\u0dff",
    "Thai": "\u0e00-\u0e7f",
    "Lao": "\u0e80-\u0eff",
    "Tibetan": "\u0f00-\u0fff",
    "Burmese": "\u1000-\u109f",
    "Georgian": "\u10a0-\u10ff\u1c90-\u1cbf",
    "Ethiopic": "\u1200-\u139f",
    "Khmer": "\u1780-\u17ff",
    "Kana": "\u3040-\u30ff\u31f0-\u31ff",
    "Hangul": "\u1100-\u11ff\uac00-\ud7af",
    "Han": "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0002fa1f",
}
_ASCII_LETTERS, _BEYOND_ASCII = re.compile("[A-Za-z]+"), re.compile("[^\x00-\x7f]+")
_PATTERNS = {name: re.compile(f"[{ranges}]") for name, ranges in _RANGES.items()}

_LATIN = (
    "af az bs ca cs cy da de en es et eu fi fr ga gl hr hu id is it la lb lt lv ms mt nb nl nn no "
    "pl pt ro sk sl sq sv sw tl tr uz vi yo zu"
)
SCRIPTS_OF: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(_LATIN.split(), ("Latin",)),
    **dict.fromkeys(["be", "bg", "kk", "ky", "mk", "mn", "ru", "tg", "uk"], ("Cyrillic",)),
    "sr": ("Cyrillic", "Latin"),
    **dict.fromkeys(["ar", "fa", "ps", "ur"], ("Arabic",)),
    **dict.fromkeys(["hi", "mr", "ne", "sa"], ("Devanagari",)),
    "el": ("Greek",),
    "hy": ("Armenian",),
    "he": ("Hebrew",),
    "yi": ("Hebrew",),
    "bn": ("Bengali",),
    "pa": ("Gurmukhi", "Arabic"),
    "gu": ("Gujarati",),
    "or": ("Oriya",),
    "ta": ("Tamil",),
    "te": ("Telugu",),
    "kn": ("Kannada",),
    "ml": ("Malayalam",),
    "si": ("Sinhala",),
    "th": ("Thai",),
    "lo": ("Lao",),
    "bo": ("Tibetan",),
    "my": ("Burmese",),
    "ka": ("Georgian",),
    "am": ("Ethiopic",),
    "km": ("Khmer",),
    "ko": ("Hangul", "Han"),
    "ja": ("Kana", "Han"),
    "zh": ("Han",),
}
"""The scripts of a language, by its code; other languages aren't checked."""


def script_counts(text: str) -> Counter[str]:
    """Counts the letters of each script.

    Example:
        >>> script_counts("Привет, world!").most_common()
        [('Cyrillic', 6), ('Latin', 5)]
    """
    counts = Counter(Latin=sum(map(len, _ASCII_LETTERS.findall(text))))
    others = "".join(_BEYOND_ASCII.findall(text))
    for name, pattern in _PATTERNS.items() if others else ():
        counts[name] += len(pattern.findall(others))
    return +counts
