"""Documents too short to learn from, or without any text but a title."""

from collections.abc import Iterator, Sequence

from bertsmith.corpus import RawDocument
from bertsmith.doctor.corpus_checks._check import Case, CorpusCheck, Examples, Seen
from bertsmith.doctor.corpus_checks._lengths import MOST_TO_DROP, Lengths
from bertsmith.doctor.finding import Finding, Limits, Severity, percent

__all__ = ["Check"]

# About 50 tokens of English, or of Chinese: not half of the shortest examples' length.
MIN_CHARS, MIN_CHINESE_CHARS = 200, 50
_SHORT_LENGTH = 64
SHORT_LIMITS = Limits(warning=0.2, problem=0.7)
TITLE_LIMITS = Limits(warning=0.05, problem=0.3)

_ENDS = frozenset(".!?…。！？।؟")
_QUOTES = "\"'”’»)]」』）"


class Check(CorpusCheck):
    """Counts short documents, and those that are nothing but a title or a label."""

    def __init__(self, case: Case) -> None:
        super().__init__(case)
        self._num_short = self._num_titles = self._num_dense = 0
        self._lengths = Lengths()
        self._short, self._titles = Examples(case), Examples(case)

    def look(self, raw: RawDocument, sentences: Sequence[str]) -> None:
        """Counts a document."""
        text = raw.text.strip()
        self._lengths.add(len(raw.text))
        if len(text) >= MIN_CHARS:
            return
        num_bytes = len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
        # Scripts of three bytes a character say as much in a quarter of the characters.
        is_dense = num_bytes / len(text) > 2
        if is_dense and len(text) >= MIN_CHINESE_CHARS:
            return
        self._num_short += 1
        self._num_dense += is_dense
        self._short.add(text, raw.where)
        if text == raw.title or not any(_is_sentence(sentence) for sentence in sentences):
            self._num_titles += 1
            self._titles.add(text, raw.where)

    def findings(self, seen: Seen) -> Iterator[Finding]:
        """Finds both by their share of the documents."""
        titles, short = self._num_titles, self._num_short
        num_examined = max(seen.num_examined, 1)
        if (crossed := TITLE_LIMITS.crossed(titles / num_examined)) is not None:
            yield self._title_only(titles / num_examined, *crossed)
        if (crossed := SHORT_LIMITS.crossed(short / num_examined)) is not None:
            yield self._too_short(short / num_examined, *crossed)

    def _title_only(self, share: float, severity: Severity, threshold: float) -> Finding:
        remedy, command = (
            "Check that --text-column names the text and not a title, and look again.",
            self.case.commands.doctor(text_column="COLUMN"),
        )
        if self._is_little:
            remedy = (
                "Check that --text-column names the text and not a title; drop documents "
                f"{self._those_below}."
            )
            command = self.case.commands.prepare(min_document_chars=self._least)
        return Finding(
            "title_only_documents",
            severity,
            f"{percent(share)} of the documents are short and without a whole sentence: titles or "
            "labels",
            share,
            threshold,
            effect="There is nothing in them to predict a masked word from, and as first segments "
            "they have no next sentence, so that their pairs are always random.",
            remedy=remedy,
            command=command,
            examples=self._titles.kept,
        )

    def _too_short(self, share: float, severity: Severity, threshold: float) -> Finding:
        remedy, command = (
            f"Those {self._those_below}, are too much to be dropped. Put back together what was "
            "cut apart; or train on short examples without pairs, a model for short texts.",
            self.case.commands.pretrain(
                f"examples.max_seq_length={_SHORT_LENGTH}", "examples.next_sentence=false"
            ),
        )
        if self._is_little:
            remedy = f"Drop those {self._those_below}; or put back together what was cut apart."
            command = self.case.commands.prepare(min_document_chars=self._least)
        return Finding(
            "short_documents",
            severity,
            f"{percent(share)} of the documents have under {self._least} characters",
            share,
            threshold,
            effect="A document is the most that an example's first segment can hold. The paper "
            "calls a document-level corpus critical for long contiguous sequences (section 3.1); "
            "from such text the model sees no context beyond a sentence or two.",
            remedy=remedy,
            command=command,
            examples=self._short.kept,
        )

    @property
    def _is_little(self) -> bool:
        """Whether dropping them would leave most of the text."""
        return self._lengths.text_below(self._least) <= MOST_TO_DROP

    @property
    def _those_below(self) -> str:
        share = percent(self._lengths.text_below(self._least))
        return f"under {self._least} characters, which are {share} of the text"

    @property
    def _least(self) -> int:
        """What a document is short under, in the script that most short ones are in."""
        return MIN_CHINESE_CHARS if 2 * self._num_dense > self._num_short else MIN_CHARS


def _is_sentence(sentence: str) -> bool:
    stripped = sentence.rstrip(_QUOTES).rstrip()
    return bool(stripped) and stripped[-1] in _ENDS
