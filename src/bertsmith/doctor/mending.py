"""Writing a corpus anew without a fault that reading it with other options can't mend."""

import json
import re
import textwrap
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any, Literal, get_args

from bertsmith._files import atomic_file
from bertsmith._progress import progress
from bertsmith.corpus import Corpus, CorpusSettings, open_corpus
from bertsmith.corpus.splitting import split_paragraph
from bertsmith.corpus.wikitext import strip_wikitext
from bertsmith.doctor.corpus_checks.encoding import repair, repair_quotes
from bertsmith.doctor.corpus_checks.markup import HTML_TAG, WIKI_MARKUP
from bertsmith.errors import CorpusError
from bertsmith.wordpiece.words import chunks_of

__all__ = ["Fault", "Rewriting", "mend", "rewrite"]

Fault = Literal["mojibake", "markup", "wrapped_lines", "long_sentences", "one_document"]

# As long as an article of Wikipedia: some thirty sentences.
_PART_CHARS = 3_000
# Far below what an example holds, in any script.
_LONG_WORDS, _LONG_CHARS, _CUT_CHARS = 250, 2_000, 500

_HTML = re.compile(
    rf"<!--.*?-->|<(script|style)\b.*?</\1\s*>|(?P<tag>{HTML_TAG})", re.IGNORECASE | re.DOTALL
)
_IN_A_LINE = re.compile(
    r"</?(?:a|abbr|b|big|cite|code|em|font|i|s|small|span|strong|sub|sup|tt|u)\b", re.IGNORECASE
)
_WIKI = re.compile(WIKI_MARKUP, re.MULTILINE)


def mend(
    corpus: str | Path | Sequence[str | Path],
    output: str | Path,
    fault: Fault,
    **settings: Any,
) -> int:
    r"""Reads a corpus of any format, and writes it as JSON lines without a fault.

    Cleaning isn't done here but where the result is read. Broken text is read over.

    Args:
        corpus: files, folders and globs, as for `open_corpus`.
        output: a new .jsonl file, with "title" and "text" of every document.
        fault: what to mend, by the name of the doctor's finding. mojibake: UTF-8 that was read as
            Windows-1252 is read back, and so is what was read as Latin-1. markup: HTML and wiki
            mark-up are taken out. wrapped_lines: the lines of a paragraph are joined; a blank
            line ends it. long_sentences: those of over 250 words or 2,000 characters are cut about
            every 500 characters. one_document: a text is cut into documents of some thirty
            sentences.
        **settings: how the corpus is read, as for `CorpusSettings`: `text_column`, `language`, ...

    Returns:
        The number of documents written.

    Raises:
        CorpusError: there is no corpus, no such fault, a file at `output` already, or no text is
            left.

    Example:
        >>> import pathlib, tempfile
        >>> folder = pathlib.Path(tempfile.mkdtemp())
        >>> _ = (folder / "a.jsonl").write_text('{"text": "<p>It <b>rains</b> &amp; snows.</p>"}')
        >>> mend(folder / "a.jsonl", folder / "mended.jsonl", "markup")
        1
        >>> (folder / "mended.jsonl").read_text()
        '{"title": "", "text": "It rains & snows."}\n'
    """
    output = Path(output)
    if fault not in get_args(Fault):
        raise CorpusError("is no fault that can be mended", where=fault, fix=_listed())
    if output.exists():
        raise CorpusError("is there already", where=output, fix="give another name")
    read = CorpusSettings.model_validate({"errors": "replace", **settings})
    return rewrite(open_corpus(corpus, read), output, fault).num_documents


@dataclass(frozen=True)
class Rewriting:
    """What was read and written.

    Attributes:
        num_read: documents that were read.
        num_documents: documents that were written.
        counts: what reading mended or left out, as in `Corpus.counts`.
    """

    num_read: int
    num_documents: int
    counts: Counter[str]


def rewrite(corpus: Corpus, output: Path, fault: Fault) -> Rewriting:
    """Does what `mend` does, with a corpus that is open; what stands at `output` is replaced.

    Raises:
        CorpusError: text that is not what it should be, see `CorpusSettings.errors`; or no text
            is left.
    """
    refiner, language, mender = corpus.refiner, corpus.settings.language, _MENDERS[fault]
    counts, num_read, number, done = Counter[str](), 0, 0, 0
    with (
        atomic_file(output) as temporary,
        temporary.open("w", encoding="utf-8", errors="backslashreplace") as file,
        progress("mending", corpus.num_bytes or None, "bytes") as bar,
    ):
        for raw in corpus:
            bar.advance(corpus.bytes_read - done)
            done, num_read = corpus.bytes_read, num_read + 1
            plain = refiner.plain(raw, counts)
            for text in mender(plain.text, language) if plain else ():
                if text.strip():
                    record = {"title": raw.title, "text": text}
                    file.write(json.dumps(record, ensure_ascii=False) + "\n")
                    number += 1
        if not number:
            what, fix = f"no text is left without {fault}", "look at what is read"
            raise CorpusError(what, where=corpus.files[0], fix=fix)
    return Rewriting(num_read, number, corpus.counts + counts)


def _listed() -> str:
    return f"give one of {', '.join(get_args(Fault))}"


def _without_mojibake(text: str, language: str) -> Iterator[str]:
    yield repair_quotes(repair(text))


def _without_markup(text: str, language: str) -> Iterator[str]:
    if _WIKI.search(text):
        text = strip_wikitext(text)
    text = unescape(_HTML.sub(_instead, text))
    yield "\n".join(line.strip() for line in text.splitlines() if line.strip())


def _instead(match: re.Match[str]) -> str:
    """Nothing for a tag within a line; a line break for one that starts a new one."""
    tag = match["tag"]
    return "" if tag is None or _IN_A_LINE.match(tag) else "\n"


def _with_lines_joined(text: str, language: str) -> Iterator[str]:
    yield "\n".join(" ".join(block.split()) for block in re.split(r"\n[^\S\n]*\n", text))


def _with_sentences_cut(text: str, language: str) -> Iterator[str]:
    lines = list[str]()
    for line in text.splitlines():
        sentences = split_paragraph(line, language)
        if not any(map(_is_long, sentences)):
            lines.append(line)
            continue
        for sentence in sentences:
            is_long = _is_long(sentence)
            lines += textwrap.wrap(sentence, _CUT_CHARS) if is_long else [sentence.strip()]
    yield "\n".join(lines)


def _is_long(sentence: str) -> bool:
    return len(sentence) > _LONG_CHARS or len(chunks_of(sentence)) > _LONG_WORDS


def _in_parts(text: str, language: str) -> Iterator[str]:
    part, size = list[str](), 0
    for line in text.splitlines():
        # A line that is a text by itself can only be cut between its sentences.
        is_long = len(line) > 2 * _PART_CHARS
        for piece in split_paragraph(line, language) if is_long else [line]:
            part.append(piece.strip())
            size += len(piece)
            if size >= _PART_CHARS:
                yield "\n".join(part)
                part, size = [], 0
    yield "\n".join(part)


_MENDERS: dict[str, Callable[[str, str], Iterator[str]]] = {
    "mojibake": _without_mojibake,
    "markup": _without_markup,
    "wrapped_lines": _with_lines_joined,
    "long_sentences": _with_sentences_cut,
    "one_document": _in_parts,
}
