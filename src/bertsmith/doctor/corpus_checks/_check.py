"""What every check of a corpus is."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from bertsmith.corpus import CorpusSettings, RawDocument
from bertsmith.corpus.commands import Commands
from bertsmith.doctor.finding import Example, Finding, shorten
from bertsmith.wordpiece import Tokenizer

__all__ = ["Case", "CorpusCheck", "Examples", "Seen", "Thinning", "around"]


@dataclass(frozen=True)
class Case:
    """What is examined.

    Attributes:
        settings: how the corpus is read.
        commands: builds the commands that mend something.
        tokenizer: the vocabulary that the corpus is meant for, if there is one already.
        num_examples: how many examples a finding may have.
    """

    settings: CorpusSettings
    commands: Commands
    tokenizer: Tokenizer | None = None
    num_examples: int = 3


@dataclass
class Seen:
    """How much of a corpus was seen.

    Attributes:
        num_documents: documents that were read, which is all of them.
        num_read_bytes: their size as they were read, mark-up included, in UTF-8.
        num_bytes: the text of those that every check has glanced at: all, but documents with
            mark-up that are not of the sample.
        num_examined: documents that were looked at closely.
        num_examined_read_bytes: their size as they were read.
        num_examined_bytes: their text.
        num_sentences: their sentences.
        num_words: their words, by white space; a Chinese character is one.
        counts: what was mended or left out in reading.
        places: where the first few of each are and what is wrong there, name → (where, what).
    """

    num_documents: int = 0
    num_read_bytes: int = 0
    num_bytes: int = 0
    num_examined: int = 0
    num_examined_read_bytes: int = 0
    num_examined_bytes: int = 0
    num_sentences: int = 0
    num_words: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    places: dict[str, list[tuple[str, str]]] = field(default_factory=dict)

    def scaled(self, number: float) -> float:
        """What a number about the examined text is for all text."""
        return number * self.num_read_bytes / max(self.num_examined_read_bytes, 1)

    def examples(self, names: Sequence[str], number: int) -> tuple[Example, ...]:
        """Where the first of some faults are."""
        places = [place for name in names for place in self.places.get(name, [])]
        return tuple(Example(shorten(what), where) for where, what in places[:number])


class CorpusCheck:
    """A check gathers numbers, document by document, and says in the end what they mean.

    Args:
        case: what is examined.
    """

    unchecked: str = ""
    """What this check couldn't do, such as for want of an optional library."""

    def __init__(self, case: Case) -> None:
        self.case = case

    def glance(self, raw: RawDocument) -> None:
        """Sees every document; this has to be quick."""

    def look(self, raw: RawDocument, sentences: Sequence[str]) -> None:
        """Sees the documents that are examined closely, cut into sentences."""

    def findings(self, seen: Seen) -> Iterator[Finding]:
        """Yields what is wrong; nothing where all is well."""
        return iter(())


class Examples:
    """The first few examples of something.

    Args:
        case: it says how many.
    """

    def __init__(self, case: Case) -> None:
        self._size = case.num_examples
        self.kept: tuple[Example, ...] = ()

    def add(self, text: str, where: str) -> None:
        """Keeps an example, unless there are enough."""
        if len(self.kept) < self._size:
            self.kept += (Example(shorten(text), where),)


def around(text: str, found: re.Match[str]) -> str:
    """What was found in a text, with some of what stands on both sides."""
    return text[max(found.start() - 30, 0) : found.end() + 30]


class Thinning:
    """Which of many things to spend time on: all at first, then every second, every fourth, ...

    So what is looked at stays spread over all of them, and its number grows with their logarithm.

    Args:
        step: after so many, every second of those that were taken before is taken.

    Example:
        >>> thinning = Thinning(step=2)
        >>> [number for number in range(12) if thinning.takes()]
        [0, 1, 3, 5, 7, 11]
    """

    def __init__(self, step: int) -> None:
        self._step, self._every = step, 1
        self._num_seen = self._num_taken = 0

    def takes(self) -> bool:
        """Whether the next one is to be looked at."""
        self._num_seen += 1
        if self._num_seen % self._every:
            return False
        self._num_taken += 1
        if self._num_taken % self._step == 0:
            self._every *= 2
        return True
