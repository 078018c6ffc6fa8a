"""How text files are laid out: what blank lines and line breaks are taken for."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise

from bertsmith.corpus import RawDocument
from bertsmith.doctor.corpus_checks._check import Case, CorpusCheck, Examples, Seen
from bertsmith.doctor.finding import Finding, Limits, percent

__all__ = ["DOCUMENT_LIMITS", "Check", "is_plain_text"]

# Where most documents of .txt files are a single line, blank lines stand between sentences.
STRAY_LIMITS = Limits(warning=0.3, problem=0.6)
# Below this, a text is too short to say that it should have had several documents.
MIN_SENTENCES = 200
# Random segments need other documents; with a handful of them most come from the same few texts.
DOCUMENT_LIMITS = Limits(warning=5, problem=2, below=True)
# In verse and lists line breaks stand inside sentences, 5 % of them in 233 books; in wrapped text
# most lines break off, and are nearly as long as each other.
WRAPPED_LIMITS = Limits(warning=0.15, problem=0.4)
_MAX_WRAPPED_CHARS = 120
_LINES_EACH = 400

# Files that make documents enough when each is one.
_ENOUGH_FILES = 5
_CUT = (
    "the command cuts it into documents of some thirty sentences, writes them anew, and looks again"
)

_ENDS = frozenset(".!?…:;。！？：；\"'”’»)]}）」』")


class Check(CorpusCheck):
    """Looks at blank lines and line breaks."""

    def __init__(self, case: Case) -> None:
        super().__init__(case)
        self._num_plain = self._num_single = self._num_plain_broken = 0
        self._files = set[str]()
        self._single = Examples(case)
        self._num_breaks = self._num_broken = 0
        self._broken = Examples(case)
        self._line_lengths = Counter[int]()

    def look(self, raw: RawDocument, sentences: Sequence[str]) -> None:
        """Counts the lines of a document, and the line breaks inside sentences."""
        lines = raw.text.splitlines()
        if is_plain_text(raw):
            self._num_plain += 1
            if len(self._files) < _ENOUGH_FILES:
                self._files.add(raw.where.rpartition(":")[0])
            if len(lines) == 1:
                self._num_single += 1
                self._single.add(lines[0], raw.where)
        for line, following in pairwise(lines[:_LINES_EACH]):
            line, following = line.rstrip(), following.lstrip()
            if not line or not following:
                continue
            self._num_breaks += 1
            if line[-1] not in _ENDS and following[0].islower():
                self._num_broken += 1
                self._num_plain_broken += is_plain_text(raw)
                self._line_lengths[len(line)] += 1
                self._broken.add(f"{line} ⏎ {following}", raw.where)

    def findings(self, seen: Seen) -> Iterator[Finding]:
        """Finds blank lines between sentences, text without any, and wrapped lines."""
        yield from self._stray_blank_lines()
        yield from self._one_document(seen)
        yield from self._wrapped_lines()

    def _stray_blank_lines(self) -> Iterator[Finding]:
        share = self._num_single / max(self._num_plain, 1)
        crossed = STRAY_LIMITS.crossed(share)
        if crossed is None or self._num_single < 10:
            return
        yield Finding(
            "stray_blank_lines",
            crossed[0],
            f"{percent(share)} of the documents in .txt files are a single line: there are blank "
            "lines between sentences",
            share,
            crossed[1],
            effect="In Google's form a blank line ends a document, so every sentence is one by "
            "itself: each pair gets a random second segment, the label is always the same, no "
            "example has context over a sentence, and next-sentence prediction learns nothing.",
            remedy="If a file is one text, it can be read so"
            + self._cut_where_few
            + "; else take the blank lines out and leave one between documents.",
            command=self._as_one_text(),
            examples=self._single.kept,
        )

    @property
    def _cut_where_few(self) -> str:
        return "" if len(self._files) >= _ENOUGH_FILES else f", and {_CUT}"

    def _as_one_text(self) -> str:
        """A file is a document, lines joined; where that gives too few documents, they are cut."""
        commands = self.case.commands
        if len(self._files) >= _ENOUGH_FILES:
            return commands.prepare(text_form="document")
        return commands.mend("one_document", "parts", text_form="document")

    def _one_document(self, seen: Seen) -> Iterator[Finding]:
        # What was cut only for its length is one document to the reader of the text.
        number = seen.num_documents - seen.counts["documents_cut"]
        crossed = DOCUMENT_LIMITS.crossed(number)
        sentences = seen.scaled(seen.num_sentences)
        if crossed is None or sentences < MIN_SENTENCES:
            return
        documents = "one document" if number == 1 else f"{number} documents"
        yield Finding(
            "one_document",
            crossed[0],
            f"all {seen.said(sentences)} sentences are {documents}",
            number,
            crossed[1],
            effect="The random second segment is drawn from another document, in ten tries; where "
            "there is no other one it comes from the same text and is labelled random all the "
            "same, and where one text runs into the next the pair is labelled as following. No "
            "document can be held out for evaluation either.",
            remedy="Put a blank line between documents (or a document in each file, or on each "
            f"line of a .jsonl). Where it is one text, {_CUT}.",
            command=self.case.commands.mend("one_document", "parts"),
        )

    def _wrapped_lines(self) -> Iterator[Finding]:
        share = self._num_broken / max(self._num_breaks, 1)
        crossed = WRAPPED_LIMITS.crossed(share)
        if crossed is None or self._num_broken < 20 or not self._lines_fill_a_page():
            return
        is_plain = 2 * self._num_plain_broken > self._num_broken
        remedy = (
            f"Join the lines of a paragraph, each file being one document{self._cut_where_few}."
            if is_plain
            else "Join the lines of a paragraph. No option of reading does it for this format: the "
            "command writes the text anew, blank lines between paragraphs, and looks again."
        )
        yield Finding(
            "wrapped_lines",
            crossed[0],
            f"{percent(share)} of the line breaks stand inside sentences: lines were broken to "
            "fit a page",
            share,
            crossed[1],
            effect="A line break ends a sentence, so sentences are cut in two at every line: "
            "pairs are split inside sentences, where grammar alone tells what follows, and words "
            "at a line's end lose the context that would have told them.",
            remedy=remedy,
            command=self._as_one_text()
            if is_plain
            else self.case.commands.mend("wrapped_lines", "joined"),
            examples=self._broken.kept,
        )

    def _lines_fill_a_page(self) -> bool:
        """Whether the broken lines are about as long as each other, and short enough for a page."""
        lengths = sorted(self._line_lengths.elements())
        widest, usual = lengths[int(0.95 * (len(lengths) - 1))], lengths[len(lengths) // 2]
        return widest <= _MAX_WRAPPED_CHARS and usual >= 0.75 * widest


def is_plain_text(raw: RawDocument) -> bool:
    """Whether a document comes from a .txt file, or from standard input."""
    name = raw.where.rpartition(":")[0]
    return name == "standard input" or ".txt" in name[-8:].lower()
