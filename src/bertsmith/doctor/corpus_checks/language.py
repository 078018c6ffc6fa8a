"""Text that isn't in the language that it is read as."""

from collections import Counter
from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Any

from bertsmith.corpus import RawDocument
from bertsmith.corpus.language_filter import check_known_language, is_in_language
from bertsmith.doctor.corpus_checks._check import Case, CorpusCheck, Draw, Examples, Seen
from bertsmith.doctor.corpus_checks._scripts import SCRIPTS_OF, script_counts
from bertsmith.doctor.finding import Finding, Limits, percent
from bertsmith.errors import CorpusError

__all__ = ["Check"]

# Quotations and lists of names are foreign in any collection; a twentieth is more than those.
LIMITS = Limits(warning=0.05, problem=0.5)

_LOOKED_AT_CHARS = 1_000
_MIN_LETTERS = 30
# Telling a language takes 0.4 ms.
_MAX_DOCUMENTS = 2_000

# What `py3langid` says of rubbish, and codes of no language: no sentences are cut by these.
_NO_LANGUAGES = frozenset({"zxx", "und", "mul"})

_LANGUAGE_OF_SCRIPT = {
    "Latin": "en",
    "Han": "zh",
    "Kana": "ja",
    "Hangul": "ko",
    "Cyrillic": "ru",
    "Arabic": "ar",
    "Greek": "el",
    "Hebrew": "he",
    "Devanagari": "hi",
    "Thai": "th",
}


class Check(CorpusCheck):
    """Looks at the scripts of letters; and asks `py3langid`, where it is installed."""

    def __init__(self, case: Case) -> None:
        super().__init__(case)
        self._language = case.settings.language.partition("-")[0]
        self._expected = SCRIPTS_OF.get(self._language)
        self._scripts = Counter[str]()
        self._num_lettered = self._num_other_script = 0
        try:
            check_known_language(self._language)
        except CorpusError as error:
            reason = error.fix if "installed" in error.what else error.what
            self.unchecked = f"languages of one script were not told apart; {reason}"
        # Of each document drawn, the language that it is in instead, or "".
        self._languages = Draw[str](_MAX_DOCUMENTS)
        self._other_script, self._other_language = Examples(case), Examples(case)

    def look(self, raw: RawDocument, sentences: Sequence[str]) -> None:
        """Looks at the beginning of a document."""
        text = raw.text[:_LOOKED_AT_CHARS]
        counts = script_counts(text)
        num_letters = counts.total()
        if num_letters < _MIN_LETTERS:
            return
        self._num_lettered += 1
        script = counts.most_common(1)[0][0]
        self._scripts[script] += 1
        if not self._is_expected(counts):
            self._num_other_script += 1
            self._other_script.add(text, f"{raw.where} ({script})")
        self._ask(raw)

    def _is_expected(self, counts: Counter[str]) -> bool:
        if self._expected is None:
            return True
        return sum(counts[name] for name in self._expected) >= counts.total() / 2

    def _ask(self, raw: RawDocument) -> None:
        if self.unchecked or not self._languages.takes():
            return
        if is_in_language(raw.text, self._language):
            self._languages.keep("")
            return
        language = _language_of(raw.text[:_LOOKED_AT_CHARS])
        self._languages.keep(language)
        self._other_language.add(raw.text, f"{raw.where} ({language})")

    def findings(self, seen: Seen) -> Iterator[Finding]:
        """Finds another script, or else another language, by the share of documents."""
        by_script = self._num_other_script / max(self._num_lettered, 1)
        asked = self._languages.kept
        by_language = sum(map(bool, asked)) / max(len(asked), 1)
        if (crossed := LIMITS.crossed(by_script)) is not None:
            script = self._scripts.most_common(1)[0][0]
            other = _LANGUAGE_OF_SCRIPT.get(script, "")
            what = f"aren't in the script of language {self._language}; most are {script}"
            if crossed[0] == "warning":
                what = f"aren't in the script of language {self._language}"
            yield self._finding("wrong_script", crossed, by_script, what, other, self._other_script)
        elif (crossed := LIMITS.crossed(by_language)) is not None:
            other = self._most_frequent_other()
            drawn = "" if self._languages.is_all else f" (told by {len(asked):,} drawn from all)"
            what = f"aren't in language {self._language}{drawn}"
            what += f"; most are {other}" if crossed[0] == "problem" and other else ""
            yield self._finding(
                "wrong_language", crossed, by_language, what, other, self._other_language
            )

    def _most_frequent_other(self) -> str:
        """The other language that most documents are in, or "" where that is none."""
        language = Counter(filter(None, self._languages.kept)).most_common(1)[0][0]
        return "" if language in _NO_LANGUAGES else language

    def _finding(
        self,
        name: str,
        crossed: Any,
        share: float,
        what: str,
        other: str,
        examples: Examples,
    ) -> Finding:
        severity, threshold = crossed
        commands = self.case.commands
        mostly = severity == "problem" and other
        return Finding(
            name,
            severity,
            f"{percent(share)} of the documents {what}",
            share,
            threshold,
            effect="Sentences are cut by the rules of the wrong language: full stops that it "
            "doesn't know leave whole paragraphs as one sentence, which is trimmed away. And the "
            "vocabulary's entries, chosen by frequency, are shared out among all languages.",
            remedy=f"If the corpus is meant to be in {other}, say so; else drop the others."
            if mostly
            else f"Drop documents that aren't in {self._language}.",
            command=commands.prepare(language=other)
            if mostly
            else commands.prepare(only_language=self._language),
            examples=examples.kept,
        )


def _language_of(text: str) -> str:
    return str(import_module("py3langid").classify(text)[0])
