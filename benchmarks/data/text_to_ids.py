"""Text → ids on one core, against `tokenizers` and google-research/bert's Python."""

import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.data.sources import Sources, google_module, lines_of
from benchmarks.figures import Figure
from benchmarks.measuring import alternate, measure, median

__all__ = ["figures"]

# Google's Python is no faster or slower on more text; the others are run on all of it.
_BYTES, _GOOGLE_BYTES = 1_000_000_000, 4_000_000


def figures(sources: Sources) -> Iterator[Figure]:
    """English against both, Chinese against `tokenizers`."""
    for language, corpus, vocabulary, floor in (
        ("English", "wiki_en", "uncased_en", 4),
        ("Chinese", "wiki_zh", "zh", 3),
    ):
        text, vocab = sources.text(corpus), sources.vocabulary(vocabulary)
        run = [
            lambda: measure(_ours, text, vocab, _BYTES).result,  # noqa: B023
            lambda: measure(_tokenizers, text, vocab, _BYTES).result,  # noqa: B023
        ]
        if language == "English" and sources.google is not None:
            run.append(lambda: measure(_google, text, vocab, _GOOGLE_BYTES, sources.google).result)  # noqa: B023
        speeds = alternate(run, sources.rounds)
        ours, theirs, *google = map(median, speeds)
        details = {"MB/s, each round": speeds}
        name = f"text → ids, {language}, one core"
        if language == "English":
            yield Figure(name, ours, "MB/s", 10, details=details)
        yield Figure(
            f"{name}, against encode_batch_fast", ours, "MB/s", floor,
            reference=theirs, reference_name="tokenizers, one thread", details=details,
        )  # fmt: skip
        for speed in google:
            yield Figure(
                f"{name}, against Google's Python", ours, "MB/s", 8,
                reference=speed, reference_name="google-research/bert", details=details,
            )  # fmt: skip


def _ours(text: Path, vocab: Path, num_bytes: int) -> float:
    from bertsmith.wordpiece import Tokenizer

    lines = lines_of(text, num_bytes)
    size = sum(len(line.encode()) for line in lines)
    # Nothing is warm: building the tokenizer and filling its caches are counted.
    start = time.perf_counter()
    tokenizer = Tokenizer(vocab)
    for line in lines:
        tokenizer.token_ids(line)
    return size / 1e6 / (time.perf_counter() - start)


def _tokenizers(text: Path, vocab: Path, num_bytes: int) -> float:
    from tokenizers import BertWordPieceTokenizer

    lines = lines_of(text, num_bytes)
    size = sum(len(line.encode()) for line in lines)
    start = time.perf_counter()
    tokenizer = BertWordPieceTokenizer(str(vocab), lowercase=True)
    for first in range(0, len(lines), 1000):
        for encoding in tokenizer._tokenizer.encode_batch_fast(
            lines[first : first + 1000], add_special_tokens=False
        ):
            _ = encoding.ids
    return size / 1e6 / (time.perf_counter() - start)


def _google(text: Path, vocab: Path, num_bytes: int, checkout: Path) -> float:
    tokenization = google_module(checkout, "tokenization")
    lines = lines_of(text, num_bytes)
    size = sum(len(line.encode()) for line in lines)
    start = time.perf_counter()
    tokenizer = tokenization.FullTokenizer(str(vocab), do_lower_case=True)
    for line in lines:
        tokenizer.convert_tokens_to_ids(tokenizer.tokenize(line))
    return size / 1e6 / (time.perf_counter() - start)
