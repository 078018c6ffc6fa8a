"""Paragraphs → sentences."""

from collections.abc import Iterator

import sentencex

from bertsmith.corpus.document import Document, RawDocument

__all__ = ["split", "split_paragraph"]

# sentencex takes time in the square of a paragraph's length where there are no spaces (Chinese,
# Japanese) or quotes that don't close; so a long paragraph is handed over a window at a time.
_WINDOW_CHARS = 2_000
_MAX_SENTENCE_CHARS = 8_000


def split(raw: RawDocument, language: str) -> Document | None:
    r"""Cuts a document into sentences.

    Where `raw.sentences_given`, every line is a sentence as it stands. Otherwise every line is a
    paragraph, so that a line break always ends a sentence, and `sentencex` cuts it.

    Args:
        raw: the document as it was read.
        language: language code whose rules are used, such as "en" or "zh".

    Returns:
        The document, or None if it has no sentence (nothing but white space).

    Example:
        >>> split(RawDocument("", "Mr. Smith went. She stayed!\nWhy?", False, "a.txt:1"), "en")
        Document(title='', sentences=['Mr. Smith went.', 'She stayed!', 'Why?'])
        >>> split(RawDocument("", "Mr. Smith went. She stayed!\nWhy?", True, "a.txt:1"), "en")
        Document(title='', sentences=['Mr. Smith went. She stayed!', 'Why?'])
    """
    pieces: Iterator[str]
    if raw.sentences_given:
        pieces = iter(raw.text.replace("\r", " ").split("\n"))
    else:
        paragraphs = raw.text.splitlines()
        pieces = (piece for line in paragraphs for piece in split_paragraph(line, language))
    sentences = [sentence for piece in pieces if (sentence := piece.strip())]
    return Document(raw.title, sentences) if sentences else None


def split_paragraph(paragraph: str, language: str) -> list[str]:
    """Cuts a paragraph, a text without line breaks, into sentences; nothing is lost.

    What goes on for over 8,000 characters without an end of a sentence is cut at a space.

    Returns:
        The sentences, with the white space that follows each.

    Example:
        >>> split_paragraph("她来了。你呢？", "zh")
        ['她来了。', '你呢？']
    """
    if len(paragraph) <= _WINDOW_CHARS:
        return list(sentencex.segment(language, paragraph)) if paragraph else []
    sentences: list[str] = []
    start, window = 0, _WINDOW_CHARS
    while len(paragraph) - start > window:
        pieces = sentencex.segment(language, paragraph[start : start + window])
        if len(pieces) == 1 and window < _MAX_SENTENCE_CHARS:
            window *= 2
            continue
        if len(pieces) == 1:
            space = paragraph.rfind(" ", start, start + window)
            end = space + 1 if space >= start else start + window
            pieces = [paragraph[start:end], ""]
        # The window may end inside the last sentence: it is looked at again with what follows.
        sentences += pieces[:-1]
        start += sum(map(len, pieces[:-1]))
        window = _WINDOW_CHARS
    sentences += sentencex.segment(language, paragraph[start:])
    return sentences
