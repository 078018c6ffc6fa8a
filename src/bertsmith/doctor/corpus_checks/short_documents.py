"""Documents too short to learn from, or without any text but a title."""

from collections.abc import Iterator, Sequence

from bertsmith.corpus import RawDocument
from bertsmith.doctor.corpus_checks._check import Case, CorpusCheck, Examples, Seen
from bertsmith.doctor.finding import Finding, Limits, percent

__all__ = ["Check"]

# About 50 tokens of English, or of Chinese: not half of the shortest examples' length.
MIN_CHARS, MIN_CHINESE_CHARS = 200, 50
SHORT_LIMITS = Limits(warning=0.2, problem=0.7)
TITLE_LIMITS = Limits(warning=0.05, problem=0.3)

_ENDS = frozenset(".!?…。！？।؟")
_QUOTES = "\"'”’»)]」』）"


class Check(CorpusCheck):
    """Counts short documents, and those that are nothing but a title or a label."""

    def __init__(self, case: Case) -> None:
        super().__init__(case)
        self._num_short = self._num_titles = 0
        self._short, self._titles = Examples(case), Examples(case)

    def look(self, raw: RawDocument, sentences: Sequence[str]) -> None:
        """Counts a document."""
        text = raw.text.strip()
        if len(text) >= MIN_CHARS:
            return
        num_bytes = len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
        # Scripts of three bytes a character say as much in a quarter of the characters.
        if num_bytes / len(text) > 2 and len(text) >= MIN_CHINESE_CHARS:
            return
        self._num_short += 1
        self._short.add(text, raw.where)
        if text == raw.title or not any(_is_sentence(sentence) for sentence in sentences):
            self._num_titles += 1
            self._titles.add(text, raw.where)

    def findings(self, seen: Seen) -> Iterator[Finding]:
        """Finds both by their share of the documents."""
        share = self._num_titles / max(seen.num_examined, 1)
        if (crossed := TITLE_LIMITS.crossed(share)) is not None:
            yield Finding(
                "title_only_documents",
                crossed[0],
                f"{percent(share)} of the documents are short and without a whole sentence: "
                "titles or labels",
                share,
                crossed[1],
                effect="There is nothing in them to predict a masked word from, and as first "
                "segments they have no next sentence, so that their pairs are always random.",
                remedy="Check that --text-column names the text and not a title; drop the rest.",
                command=self.case.commands.prepare(min_document_chars=MIN_CHARS),
                examples=self._titles.kept,
            )
        share = self._num_short / max(seen.num_examined, 1)
        if (crossed := SHORT_LIMITS.crossed(share)) is not None:
            yield Finding(
                "short_documents",
                crossed[0],
                f"{percent(share)} of the documents have under {MIN_CHARS} characters",
                share,
                crossed[1],
                effect="A document is the most that an example's first segment can hold. The paper "
                "calls a document-level corpus critical for long contiguous sequences (section "
                "3.1); from such text the model sees no context beyond a sentence or two.",
                remedy="Drop them, or put back together what was cut apart.",
                command=self.case.commands.prepare(min_document_chars=MIN_CHARS),
                examples=self._short.kept,
            )


def _is_sentence(sentence: str) -> bool:
    stripped = sentence.rstrip(_QUOTES).rstrip()
    return bool(stripped) and stripped[-1] in _ENDS
