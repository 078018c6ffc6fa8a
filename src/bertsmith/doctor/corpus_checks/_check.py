"""What every check of a corpus is."""

import random
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from bertsmith.corpus import CorpusSettings, RawDocument
from bertsmith.corpus.commands import Commands
from bertsmith.doctor.finding import Example, Finding, shorten
from bertsmith.doctor.sizes import fitting_size
from bertsmith.wordpiece import Tokenizer
from bertsmith.wordpiece.characters import is_chinese

__all__ = ["Case", "CorpusCheck", "Draw", "Examples", "Seen", "around"]

T = TypeVar("T")

# Nearly every text has all of ASCII, and looking for the others is much quicker.
_NUM_ASCII, _BEYOND_ASCII = 95, re.compile("[^\x00-\x7f]+")


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
        num_unread: those documents, whose text was not taken out of the mark-up.
        num_passed_over: documents that are not of the sample.
        letters: the different characters beyond ASCII of the text that was looked at closely.
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
    num_unread: int = 0
    num_passed_over: int = 0
    letters: set[str] = field(default_factory=set)
    num_examined: int = 0
    num_examined_read_bytes: int = 0
    num_examined_bytes: int = 0
    num_sentences: int = 0
    num_words: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    places: dict[str, list[tuple[str, str]]] = field(default_factory=dict)

    @property
    def is_whole(self) -> bool:
        """Whether all of the text was looked at closely, so that nothing has to be estimated."""
        return not self.num_passed_over

    @property
    def words(self) -> int:
        """The words of all text; where only a part was looked at closely, an estimate."""
        return round(self.scaled(self.num_words))

    @property
    def fitting_size(self) -> int:
        """The size of a vocabulary for this text."""
        letters = sum(not is_chinese(letter) for letter in self.letters)
        return fitting_size(self.words, _NUM_ASCII + letters)

    def note_words(self, text: str, words: Sequence[str], num_read_bytes: int) -> None:
        """Counts the words and letters of a document that is looked at closely.

        Args:
            text: its text.
            words: the same, cut at white space.
            num_read_bytes: its size as it was read.
        """
        self.num_examined_read_bytes += num_read_bytes
        self.num_words += len(words)
        self.letters.update(*_BEYOND_ASCII.findall(text))

    def said(self, number: float) -> str:
        """A number about all text, for people, who are told where it is an estimate."""
        return f"{number:,.0f}" if self.is_whole else f"about {number:,.0f}"

    def scaled(self, number: float) -> float:
        """What a number about the examined text is for all text."""
        if self.is_whole:
            return number
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


class Draw(Generic[T]):
    """A fair draw from things whose number isn't known before: some hundreds, from all over.

    All are taken at first. Whenever there are too many, half of what is kept is forgotten by lot,
    and of what follows half as many are taken: so each has the same chance, wherever it stands. A
    lot, because every second one of two files in turn would all be of one file.

    Args:
        limit: how many are kept at most; up to so many the draw is all of them.

    Attributes:
        kept: what was drawn.

    Example:
        >>> draw = Draw[int](limit=8)
        >>> for number in range(100):
        ...     if draw.takes():
        ...         draw.keep(number)
        >>> draw.kept
        [75, 89, 93, 95, 97]
    """

    def __init__(self, limit: int) -> None:
        self._limit, self._mask = limit, 0
        self._random, self._lot = random.Random(0), 0
        self._lots, self.kept = list[int](), list[T]()

    @property
    def is_all(self) -> bool:
        """Whether everything was taken so far."""
        return not self._mask

    def takes(self) -> bool:
        """Whether the next thing is drawn; `keep` is then called with what is to be known of it."""
        self._lot = self._random.getrandbits(48)
        return not self._lot & self._mask

    def keep(self, thing: T) -> None:
        """Keeps what was drawn last."""
        self._lots.append(self._lot)
        self.kept.append(thing)
        while len(self.kept) > self._limit:
            self._mask = 2 * self._mask + 1
            pairs = zip(self._lots, self.kept, strict=True)
            left = [(lot, kept) for lot, kept in pairs if not lot & self._mask]
            self._lots, self.kept = [lot for lot, _ in left], [kept for _, kept in left]
