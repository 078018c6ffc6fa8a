"""Where reading a corpus stands, so that it can go on from there."""

from dataclasses import dataclass, field

__all__ = ["CorpusPosition"]


@dataclass(frozen=True)
class CorpusPosition:
    """The document of a corpus that comes next.

    Attributes:
        file: index of its file.
        document: how many documents of that file were read.
        number: how many documents of the whole corpus were read, dropped ones counted.
        counts: what had been mended or left out at the start of that file.
    """

    file: int = 0
    document: int = 0
    number: int = 0
    counts: dict[str, int] = field(default_factory=dict)
