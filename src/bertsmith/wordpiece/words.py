"""Text → words: cleaning, Chinese characters, lower-casing, accents, punctuation.

A *chunk* is what white space and Chinese characters leave standing: the longest stretch of text
that Google's rules never look beyond. Everything after cutting text into chunks is a function of
the chunk alone, so it can be remembered.
"""

import re
import unicodedata

from bertsmith.wordpiece.characters import CHUNK, CLEANING, SPLITTING, UNLIKE_SPLIT

__all__ = ["chunks_of", "plain_chunks_of", "words_of", "words_of_chunk"]

# All printable ASCII that is neither letter nor digit is punctuation to Google.
_ASCII_WORD = re.compile(r"[a-zA-Z0-9]+|[!-/:-@\[-`{-~]")


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


def plain_chunks_of(text: str, lowercase: bool) -> list[str]:
    """Cuts text into chunks whose words are the text's, with fewer kinds of chunks.

    In printable text without Chinese characters and U+FFFD nothing is dropped, so the whole of it
    can be lower-cased at once, and then the commonest signs, which are words by themselves, set
    apart: "rain", "Rain" and "rain," give the same chunk. Other text is cut as by `chunks_of`.

    Example:
        >>> plain_chunks_of("Rain, rain!", lowercase=True)
        ['rain', ',', 'rain!']
    """
    if not text.isprintable():
        return chunks_of(text)
    # Of what is printable only U+FFFD is dropped, and a sigma's form depends on what is left.
    if not text.isascii() and ("\ufffd" in text or UNLIKE_SPLIT.search(text) is not None):
        return chunks_of(text)
    if lowercase:
        text = text.lower()
    text = text.replace(",", " , ").replace(".", " . ").replace("-", " - ")
    return text.replace("(", " ( ").replace(")", " ) ").replace('"', ' " ').split()


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


def words_of_chunk(chunk: str, lowercase: bool) -> list[str]:
    """Returns what `words_of` does for a chunk as `chunks_of` cuts it, faster for ASCII.

    Example:
        >>> words_of_chunk("Don't,", lowercase=True)
        ['don', "'", 't', ',']
    """
    if chunk.isascii() and chunk.isprintable():
        normal = chunk.lower() if lowercase else chunk
        if normal.isalnum():
            return [normal]
        # Most chunks that aren't a plain word are a word with a sign behind it.
        if normal[:-1].isalnum() and not normal[-1].isalnum():
            return [normal[:-1], normal[-1]]
        return _ASCII_WORD.findall(normal)
    return words_of(chunk, lowercase)
