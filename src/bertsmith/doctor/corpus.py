"""Examining a corpus, before it becomes a vocabulary and a store."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from bertsmith._progress import progress
from bertsmith.corpus import Corpus, CorpusSettings, RawDocument, open_corpus, split
from bertsmith.corpus.commands import Commands
from bertsmith.doctor import corpus_checks
from bertsmith.doctor.corpus_checks import Case, CorpusCheck, Seen
from bertsmith.doctor.examination import Examination, Fact
from bertsmith.doctor.histogram import Histogram
from bertsmith.doctor.lookup import modules_of
from bertsmith.wordpiece import Tokenizer
from bertsmith.wordpiece.counting import num_bytes_of
from bertsmith.wordpiece.words import chunks_of

__all__ = ["DEFAULT_SAMPLE_BYTES", "examine_corpus", "spread"]

DEFAULT_SAMPLE_BYTES = 100_000_000
"""Text that is looked at closely: ten to twenty seconds' work on one core."""


def examine_corpus(
    paths: Sequence[str | Path],
    settings: CorpusSettings | None = None,
    *,
    tokenizer: Tokenizer | None = None,
    vocab_path: str | Path | None = None,
    sample_bytes: int | None = DEFAULT_SAMPLE_BYTES,
    num_examples: int = 3,
) -> Examination:
    r"""Looks for what would spoil training on a corpus.

    All of it is read once, for repeated lines and duplicates; documents spread evenly over it are
    looked at closely. Memory doesn't grow with the corpus. Broken text doesn't stop it: it is
    counted.

    Args:
        paths: files, folders and globs, as for `open_corpus`.
        settings: how to read and clean; the defaults where None.
        tokenizer: the vocabulary that the corpus is meant for, if there is one already.
        vocab_path: its path, for the commands that findings name.
        sample_bytes: how much text is looked at closely, in UTF-8; None for all.
        num_examples: how many examples a finding may have.

    Raises:
        CorpusError: there is no corpus, or no text in it.

    Example:
        >>> import pathlib, tempfile
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "a.jsonl"
        >>> _ = path.write_text('{"text": "A document of one sentence."}\n' * 9)
        >>> found = examine_corpus([path])
        >>> [finding.name for finding in found.findings][:2]
        ['duplicate_documents', 'little_text']
    """
    settings = settings or CorpusSettings()
    names = [str(path) for path in paths]
    cased = tokenizer is not None and not tokenizer.lowercase
    named = None if vocab_path is None else str(vocab_path)
    commands = Commands(names, settings, named, cased)
    case = Case(settings, commands, tokenizer, num_examples)
    checks: list[CorpusCheck] = [module.Check(case) for module in modules_of(corpus_checks)]
    corpus = open_corpus(list(paths), settings.model_copy(update={"errors": "replace"}))
    seen, lengths = _read(corpus, checks, sample_bytes)
    mending = replace(case, commands=commands.reading_over(seen.counts))
    for check in checks:
        check.case = mending
    findings = tuple(finding for check in checks for finding in check.findings(seen))
    return Examination(
        "corpus",
        " ".join(names),
        _facts(seen),
        lengths,
        findings,
        tuple(check.unchecked for check in checks if check.unchecked),
    )


def spread(
    corpus: Corpus, sample_bytes: int | None, counts: Counter[str], description: str
) -> Iterator[tuple[RawDocument, bool, int]]:
    """Yields every document, whether it is one of the sample, and its size as it was read.

    The sample is spread evenly: a document is taken whenever what was taken so far is behind the
    share of the files that was read. From standard input, whose size nobody knows, it is the
    start. Documents that aren't of the sample keep their mark-up, because taking it away is slow.

    Args:
        corpus: the documents.
        sample_bytes: size of the sample, in bytes of text; None for everything.
        counts: where to count what cleaning takes out.
        description: what the progress bar says.
    """
    refiner = corpus.refiner
    taken = done = 0
    with progress(description, corpus.num_bytes or None, "bytes") as bar:
        for raw in corpus:
            bar.advance(corpus.bytes_read - done)
            done = corpus.bytes_read
            reached = done / corpus.num_bytes if corpus.num_bytes else 1.0
            in_sample = sample_bytes is None or taken < sample_bytes * reached
            size = num_bytes_of(raw.text)
            if raw.markup and not in_sample:
                yield raw, False, size
            elif (plain := refiner.plain(raw, counts)) is not None:
                taken += size if in_sample else 0
                yield plain, in_sample, size


def _read(
    corpus: Corpus, checks: Sequence[CorpusCheck], sample_bytes: int | None
) -> tuple[Seen, tuple[Histogram, ...]]:
    seen = Seen()
    sentence_chars, document_sentences = Counter[int](), Counter[int]()
    language = corpus.settings.language
    for raw, in_sample, size in spread(corpus, sample_bytes, seen.counts, "examining"):
        seen.num_documents += 1
        seen.num_read_bytes += size
        if raw.markup:
            seen.num_unread += 1
        else:
            seen.num_bytes += num_bytes_of(raw.text)
            for check in checks:
                check.glance(raw)
        seen.num_passed_over += not in_sample
        document = split(raw, language) if in_sample else None
        if document is None:
            continue
        seen.num_examined += 1
        seen.num_examined_bytes += num_bytes_of(raw.text)
        seen.num_sentences += len(document.sentences)
        seen.note_words(raw.text, chunks_of(raw.text), size)
        sentence_chars.update(map(len, document.sentences))
        document_sentences[len(document.sentences)] += 1
        for check in checks:
            check.look(raw, document.sentences)
    seen.counts.update(corpus.counts)
    seen.places = corpus.fault_places
    if not document_sentences:
        return seen, ()
    return seen, (
        Histogram.of_counts("sentence_chars", "characters a sentence", sentence_chars),
        Histogram.of_counts("document_sentences", "sentences a document", document_sentences),
    )


def _facts(seen: Seen) -> tuple[Fact, ...]:
    sentences = f"{seen.num_sentences:,} sentences"
    closely = "all" if seen.is_whole else f"{seen.num_examined:,}"
    # Every text was measured, but for what still stands in mark-up.
    num_bytes = seen.scaled(seen.num_examined_bytes) if seen.num_unread else seen.num_bytes
    about = "about " if seen.num_unread else ""
    mended = sorted((name, number) for name, number in seen.counts.items() if number)
    return (
        Fact("num_documents", seen.num_documents, "documents", f"{seen.num_documents:,}"),
        Fact(
            "num_bytes",
            round(num_bytes),
            "text",
            f"{about}{num_bytes / 1e6:,.1f} MB",
            is_estimate=bool(seen.num_unread),
        ),
        Fact(
            "num_words",
            seen.words,
            "words",
            seen.said(seen.words),
            is_estimate=not seen.is_whole,
        ),
        Fact(
            "num_examined",
            seen.num_examined,
            "looked at closely",
            f"{closely} ({seen.num_examined_bytes / 1e6:,.1f} MB, {sentences})",
        ),
        *(Fact(name, number, name.replace("_", " "), f"{number:,}") for name, number in mended),
    )
