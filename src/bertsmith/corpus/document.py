"""The unit of text: a document, as its sentences."""

from dataclasses import dataclass

__all__ = ["Document"]


@dataclass(frozen=True)
class Document:
    """A document cut into sentences, in reading order.

    Attributes:
        title: the document's name, or "" where the corpus gives none. It is not part of the text.
        sentences: at least one sentence; none is blank, none contains a line break.
    """

    title: str
    sentences: list[str]
