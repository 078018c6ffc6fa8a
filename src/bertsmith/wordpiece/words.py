"""Text → words: cleaning, Chinese characters, lower-casing, accents, punctuation.

A *chunk* is what white space and Chinese characters leave standing: the longest stretch of text
that Google's rules never look beyond. Everything after cutting text into chunks is a function of
the chunk alone, so it can be remembered.
"""

import unicodedata

from bertsmith.wordpiece.characters import CHUNK, CLEANING, SPLITTING, UNLIKE_SPLIT

__all__ = ["chunks_of", "words_of"]


def chunks_of(text: str) -> list[str]:
    """Cuts text at white space and around every Chinese character.

    Example:
        >>> chunks_of("don't say 你好!")
        ["don't", 'say', '你', '好', '!']
    """
    # The first test is the quicker one, and enough for most lines.
    if (text.isascii() and text.isprintable()) or UNLIKE_SPLIT.search(text) is None:
        return text.split()
    return CHUNK.findall(text)


def words_of(text: str, lowercase: bool) -> list[str]:
    r"""Returns the words that Google's `BasicTokenizer` returns.

    **Source**: google-research/bert, `tokenization.py`, `BasicTokenizer.tokenize`.

    Args:
        text: any text, or one chunk.
        lowercase: whether to lower-case and to strip accents.

    Returns:
        Normalised words; punctuation and Chinese characters are words of one character.

    Example:
        >>> words_of("Caf\u00e9-Bar, ÀΣ!", lowercase=True)
        ['cafe', '-', 'bar', ',', 'aς', '!']
        >>> words_of("Caf\u00e9-Bar", lowercase=False)
        ['Café', '-', 'Bar']
    """
    if text.isascii() and text.isalnum():
        return [text.lower() if lowercase else text]
    splitting = SPLITTING[lowercase]
    words = []
    for chunk in text.translate(CLEANING).split():
        normal = unicodedata.normalize("NFD", chunk.lower()) if lowercase else chunk
        words += normal.translate(splitting).split()
    return words
