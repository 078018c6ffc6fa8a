"""Mark-up that was left in the text."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from bertsmith.corpus import RawDocument
from bertsmith.doctor.corpus_checks._check import Case, CorpusCheck, Examples, Seen, around
from bertsmith.doctor.finding import Finding, Limits, percent

__all__ = ["HTML_TAG", "WIKI_MARKUP", "Check"]

HTML_TAG = (
    r"</?(?:a|abbr|b|big|blockquote|body|br|center|cite|code|dd|div|dl|dt|em|font|"
    r"gallery|h[1-6]|head|hr|html|i|img|li|link|meta|noinclude|nowiki|ol|p|pre|ref|references|s|"
    r"script|small|span|strong|style|sub|sup|table|tbody|td|th|tr|tt|u|ul)(?:\s[^<>]{0,300})?/?>"
)
WIKI_MARKUP = (
    r"\[\[[^\[\]\n]{1,200}\]\]|\{\{[^{}\n]{1,200}\}\}|'''[^'\n]{1,100}'''|"
    r"^={2,4}[^=\n]{1,80}={2,4}\s*$|^\{\|"
)
_KINDS = {
    "HTML tags": HTML_TAG,
    "HTML entities": r"&(?:amp|lt|gt|nbsp|quot|apos|ndash|mdash|hellip|[lr][sd]quo|"
    r"#\d{2,6}|#x[0-9a-fA-F]{2,6});",
    "wiki mark-up": WIKI_MARKUP,
}
_NAMES = list(_KINDS)
# One of these is in all of them, and is found much quicker.
_SIGNS = ("<", "&", "[[", "{{", "{|", "'''", "==")
_MARKUP = re.compile(
    "|".join(f"(?P<kind{number}>{kind})" for number, kind in enumerate(_KINDS.values())),
    re.IGNORECASE | re.MULTILINE,
)
# Slips are in any collection: 0.3 % of English and 0.8 % of Chinese Wikipedia's sentences hold
# some, after its mark-up was taken away.
LIMITS = Limits(warning=0.02, problem=0.2)


class Check(CorpusCheck):
    """Counts sentences with mark-up."""

    def __init__(self, case: Case) -> None:
        super().__init__(case)
        self._number, self._examples = 0, Examples(case)
        self._kinds = Counter[str]()

    def look(self, raw: RawDocument, sentences: Sequence[str]) -> None:
        """Counts a document's sentences."""
        if not any(sign in raw.text for sign in _SIGNS):
            return
        for sentence in sentences:
            if any(sign in sentence for sign in _SIGNS) and (found := _MARKUP.search(sentence)):
                self._number += 1
                self._kinds[_NAMES[int(str(found.lastgroup).removeprefix("kind"))]] += 1
                self._examples.add(around(sentence, found), raw.where)

    def findings(self, seen: Seen) -> Iterator[Finding]:
        """Finds it by the share of sentences."""
        share = self._number / max(seen.num_sentences, 1)
        crossed = LIMITS.crossed(share)
        if crossed is None:
            return
        kinds = ", ".join(kind for kind, _ in self._kinds.most_common())
        yield Finding(
            "markup",
            crossed[0],
            f"{percent(share)} of the sentences hold mark-up ({kinds})",
            share,
            crossed[1],
            effect="Brackets, tags and attribute names become tokens of their own, several to a "
            "tag, and are easy to predict: they use up the examples' room and the masked "
            "positions, lower the loss and teach nothing about language.",
            remedy="No option of reading takes it out of plain text: the command writes the text "
            "anew, without tags, entities and wiki mark-up, and looks again. Menus and footers of "
            "web pages stay; a tool that knows pages, such as trafilatura, leaves them out. A "
            "Wikipedia dump is best read as it comes (.xml.bz2).",
            command=self.case.commands.mend("markup", "plain"),
            examples=self._examples.kept,
        )
