"""Telling whether a document is in a language."""

from functools import cache
from typing import Any

from bertsmith.errors import CorpusError

__all__ = ["check_known_language", "is_in_language"]

_PIECE_CHARS = 250
_MIN_BYTES = 200
_TIMES_AS_LIKELY = 10


def is_in_language(text: str, language: str) -> bool:
    """Whether a text may be in a language; it is told that it isn't only where that is plain.

    `py3langid` gives every language that it knows a probability, from 250 characters at the front
    of the text and 250 in its middle. The text isn't in `language` if another one is at least ten
    times as likely: close relatives (zh and wuu) and lists of foreign names stay in doubt, and in
    doubt the answer is yes. So it is for texts under 200 bytes, which are too short to tell.

    Args:
        text: plain text.
        language: one of the codes that `check_known_language` lets pass.

    Example:
        >>> text = "The rain had not stopped when they came home. Nobody said a word. " * 4
        >>> is_in_language(text, "en"), is_in_language(text, "de"), is_in_language("Oui.", "en")
        (True, False, True)
    """
    sample = _sample(text)
    if len(sample.encode("utf-8", "surrogatepass")) < _MIN_BYTES:
        return True
    ranking = _identifier().rank(sample)
    return bool(ranking[0][1] < _TIMES_AS_LIKELY * dict(ranking)[language])


def check_known_language(language: str) -> None:
    """Checks that documents can be told to be in a language or not.

    Raises:
        CorpusError: `py3langid` isn't installed, or doesn't know the language.
    """
    known = _identifier().labels
    if language not in known:
        raise CorpusError(
            f"no language that can be told apart has the code {language!r}",
            where="--only-language",
            fix="give one of " + " ".join(sorted(set(known) - {"zxx"})),
        )


def _sample(text: str) -> str:
    text = text.strip()
    if len(text) <= 2 * _PIECE_CHARS:
        return text
    middle = max(len(text) // 2, _PIECE_CHARS)
    return f"{text[:_PIECE_CHARS]}\n{text[middle : middle + _PIECE_CHARS]}"


@cache
def _identifier() -> Any:
    try:
        from py3langid.langid import MODEL_FILE, LanguageIdentifier
    except ImportError:
        raise CorpusError(
            "py3langid is not installed",
            where="--only-language",
            fix="pip install 'bertsmith[language]'",
        ) from None
    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
