"""The unit of text: a document, as its sentences."""

from dataclasses import dataclass
from typing import Literal

__all__ = ["Document", "RawDocument"]


@dataclass(frozen=True)
class Document:
    """A document cut into sentences, in reading order.

    Attributes:
        title: the document's name, or "" where the corpus gives none. It is not part of the text.
        sentences: at least one sentence; none is blank, none contains a line break.
    """

    title: str
    sentences: list[str]


@dataclass(frozen=True)
class RawDocument:
    """A document as it was read, before it is cut into sentences.

    Reading is cheap and serial; a `Refiner` turns this into a `Document` where the tokenizing is
    done, in the worker processes.

    Attributes:
        title: the document's name, or "".
        text: the text, without NUL characters, not blank. A line is a sentence where
            `sentences_given`, otherwise a paragraph.
        sentences_given: whether the corpus says where sentences end (Google's form).
        where: the file, and the line or row at which the document starts, for messages.
        markup: what has yet to be taken out of the text: "" for plain text.
    """

    title: str
    text: str
    sentences_given: bool
    where: str
    markup: Literal["", "wikitext"] = ""
