"""Examining a vocabulary on the text that it is meant for."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from bertsmith.corpus import CorpusSettings, open_corpus
from bertsmith.corpus.commands import Commands
from bertsmith.doctor import vocabulary_checks
from bertsmith.doctor.corpus import DEFAULT_SAMPLE_BYTES, spread
from bertsmith.doctor.corpus_checks import Seen
from bertsmith.doctor.examination import Examination, Fact
from bertsmith.doctor.finding import percent
from bertsmith.doctor.histogram import Histogram
from bertsmith.doctor.lookup import findings_of
from bertsmith.doctor.vocabulary_measures import VocabularyMeasures
from bertsmith.wordpiece import Tokenizer, WordCounter
from bertsmith.wordpiece.words import chunks_of

__all__ = ["examine_vocabulary"]


def examine_vocabulary(
    tokenizer: Tokenizer,
    paths: Sequence[str | Path],
    settings: CorpusSettings | None = None,
    *,
    vocab_path: str | Path = "vocab.txt",
    sample_bytes: int | None = DEFAULT_SAMPLE_BYTES,
    num_examples: int = 3,
) -> Examination:
    """Looks for what would spoil training with a vocabulary on a corpus.

    Args:
        tokenizer: the vocabulary, and whether text is lower-cased.
        paths: files, folders and globs, as for `open_corpus`.
        settings: how to read and clean; the defaults where None.
        vocab_path: the vocabulary's path, for its name and for commands.
        sample_bytes: how much text is counted, spread evenly, in UTF-8; None for all.
        num_examples: how many examples a finding may have.

    Raises:
        CorpusError: there is no corpus, or no text in it.

    Example:
        >>> import pathlib, tempfile
        >>> from bertsmith.wordpiece import SPECIAL_TOKENS, Vocabulary
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "a.txt"
        >>> _ = path.write_text("It rains. It snows.")
        >>> tokenizer = Tokenizer(Vocabulary([*SPECIAL_TOKENS, "it", "rains", "."]))
        >>> found = examine_vocabulary(tokenizer, [path])
        >>> [finding.title for finding in found.findings if finding.severity == "problem"]
        ['16.7 % of the words are [UNK] for want of 5 entries of a single character', \
'16.7 % of the tokens are [UNK]']
    """
    settings = settings or CorpusSettings()
    corpus = open_corpus(list(paths), settings.model_copy(update={"errors": "replace"}))
    counter = WordCounter(lowercase=tokenizer.lowercase)
    counts = Counter[str]()
    seen, num_capitalised = Seen(), 0
    for raw, in_sample, size in spread(corpus, sample_bytes, counts, "counting words"):
        seen.num_read_bytes += size
        seen.num_passed_over += not in_sample
        if not in_sample:
            continue
        counter.add(raw.text)
        words = chunks_of(raw.text)
        seen.note_words(raw.text, words, size)
        if not tokenizer.lowercase:
            num_capitalised += sum(word != word.lower() for word in words)
    commands = Commands(
        [str(path) for path in paths], settings, str(vocab_path), not tokenizer.lowercase
    ).reading_over(corpus.counts)
    measures = VocabularyMeasures(
        tokenizer,
        counter,
        share_capitalised=num_capitalised / max(seen.num_words, 1),
        fitting_size=seen.fitting_size,
        commands=commands,
        num_examples=num_examples,
    )
    findings = findings_of(vocabulary_checks, measures)
    return Examination("vocab", str(vocab_path), _facts(measures), _histograms(measures), findings)


def _facts(measures: VocabularyMeasures) -> tuple[Fact, ...]:
    inspection, size = measures.inspection, len(measures.tokenizer.vocabulary)
    unknown, whole = inspection.unknown_rate, inspection.whole_word_rate
    casing = "lower-cased" if measures.tokenizer.lowercase else "with case"
    return (
        Fact("vocab_size", size, "entries", f"{size:,}"),
        Fact("casing", casing, "text is read", casing),
        Fact(
            "num_text_bytes",
            inspection.num_text_bytes,
            "text looked at",
            f"{inspection.num_text_bytes / 1e6:,.1f} MB, {inspection.num_words:,} words",
        ),
        Fact("unknown_rate", unknown, "[UNK]", f"{percent(unknown)} of the tokens"),
        Fact(
            "pieces_per_word",
            inspection.pieces_per_word,
            "pieces a word",
            f"{inspection.pieces_per_word:.3f}",
        ),
        Fact("whole_word_rate", whole, "whole words", f"{percent(whole)} of the words"),
        Fact(
            "bytes_per_token",
            inspection.bytes_per_token,
            "bytes a token",
            f"{inspection.bytes_per_token:.2f}",
        ),
        Fact(
            "num_unused_entries",
            inspection.num_unused_entries,
            "entries that don't occur",
            f"{inspection.num_unused_entries:,} of {inspection.num_entries:,}",
        ),
    )


def _histograms(measures: VocabularyMeasures) -> tuple[Histogram, ...]:
    tokens = measures.tokenizer.vocabulary.tokens
    lengths = Counter(len(tokens[entry].removeprefix("##")) or 2 for entry in measures.own_entries)
    occurrences = Counter(measures.entry_counts[measures.entry_counts > 0].tolist())
    shapes = []
    if lengths:
        shapes.append(Histogram.of_counts("entry_chars", "characters an entry", lengths, step=1))
    if occurrences:
        label = "occurrences an entry (of those that occur)"
        shapes.append(Histogram.of_counts("entry_occurrences", label, occurrences, greatest="most"))
    return tuple(shapes)
