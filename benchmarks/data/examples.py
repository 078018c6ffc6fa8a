"""Pairs and masks on one core, against google-research/bert's; seeking to a training step."""

import random
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.data.sources import Sources, google_module, records_of
from benchmarks.figures import Figure
from benchmarks.measuring import alternate, measure, median

__all__ = ["figures", "seeking_figures"]

_SENTENCE_BYTES, _BATCH = 20_000_000, 256
_LENGTH, _SHORT, _SHARE, _MAX_PREDICTIONS = 128, 0.1, 0.15, 20


def figures(sources: Sources) -> Iterator[Figure]:
    """Tokens of examples a second: pairs and masks alone, and the whole way from text."""
    text, vocab = sources.work / "sentences.txt", sources.vocabulary("uncased_en")
    _write_sentences(sources.text("wiki_en"), text)
    store = sources.work / "sentence-store"
    run = [lambda: measure(_ours, text, vocab, store).result]
    if sources.google is not None:
        run.append(lambda: measure(_google, text, vocab, sources.google).result)
    done = alternate(run, sources.rounds)
    for part, what in (("pairs", "pairs and masks"), ("whole", "text → examples")):
        speeds = [[speed[part] for speed in each] for each in done]
        ours, *google = map(median, speeds)
        details = {"tokens/s, each round": speeds}
        name = f"{what}, one core"
        if part == "pairs":
            yield Figure(name, ours, "tokens/s", 1e6, details=details)
            whole_words = [speed["whole words"] for speed in done[0]]
            yield Figure(
                f"{what}, whole words, one core", median(whole_words), "tokens/s", 1e6,
                details={"tokens/s, each round": whole_words},
            )  # fmt: skip
        for speed in google:
            yield Figure(
                f"{name}, against Google's", ours, "tokens/s", 10,
                reference=speed, reference_name="google-research/bert", details=details,
            )  # fmt: skip


def seeking_figures(sources: Sources) -> Iterator[Figure]:
    """How long the first batch of any step takes on a store of 240 MB, opening it included."""
    corpus = [sources.text("wiki_en"), sources.text("books_en")]
    folder = sources.work / "large-store"
    measure(_prepare, corpus, sources.vocabulary("uncased_en"), folder, cores=2)
    steps = [0, 777, 12_345, 100_000, 1_000_000]
    seconds = {step: measure(_seek, folder, step, cores=2).result for step in steps}
    yield Figure(
        "seeking to a training step, 240 MB store, slowest", max(seconds.values()), "s", 2,
        bound="at most", details={"seconds, by step": seconds},
    )  # fmt: skip


def _write_sentences(corpus: Path, path: Path) -> None:
    """Google's form: a sentence a line, a blank line between documents."""
    from bertsmith.corpus import RawDocument, split

    size = 0
    with path.open("w", encoding="utf-8") as file:
        for number, text in enumerate(records_of(corpus)):
            document = split(RawDocument("", text, False, f"{number}"), "en")
            if document is not None:
                block = "\n".join(document.sentences) + "\n\n"
                file.write(block)
                size += len(block.encode())
            if size >= _SENTENCE_BYTES:
                return


def _ours(text: Path, vocab: Path, folder: Path) -> dict[str, float]:
    import numpy as np

    from bertsmith._parallel import Workers
    from bertsmith.corpus import CorpusSettings, open_corpus
    from bertsmith.examples import ExampleSettings, build_examples, plan_epoch
    from bertsmith.store import TokenStore, write_store
    from bertsmith.wordpiece import Tokenizer

    def create(settings: ExampleSettings) -> int:
        plan = plan_epoch(store, np.arange(store.num_documents), settings, 0, 0)
        num_tokens = 0
        for first in range(0, len(plan), _BATCH):
            indices = np.arange(first, min(first + _BATCH, len(plan)))
            num_tokens += len(build_examples(store, plan, indices).input_ids)
        return num_tokens

    start = time.perf_counter()
    corpus = open_corpus(text, CorpusSettings(text_form="sentences"))
    write_store(corpus, Tokenizer(vocab), folder, workers=Workers(1), overwrite=True)
    store = TokenStore(folder)
    middle = time.perf_counter()
    num_tokens = create(ExampleSettings(max_seq_length=_LENGTH))
    end = time.perf_counter()
    words = create(ExampleSettings(max_seq_length=_LENGTH, whole_word_masking=True))
    return {
        "pairs": num_tokens / (end - middle),
        "whole": num_tokens / (end - start),
        "whole words": words / (time.perf_counter() - end),
    }


def _google(text: Path, vocab: Path, checkout: Path) -> dict[str, float]:
    """Google's own steps, in its order; what it does with TensorFlow (writing) is left out."""
    creating = google_module(checkout, "create_pretraining_data")
    tokenization = google_module(checkout, "tokenization")
    start = time.perf_counter()
    tokenizer = tokenization.FullTokenizer(str(vocab), do_lower_case=True)
    documents: list[list[list[str]]] = [[]]
    for line in text.read_text(encoding="utf-8").split("\n"):
        stripped = tokenization.convert_to_unicode(line).strip()
        if not stripped:
            documents.append([])
        elif tokens := tokenizer.tokenize(stripped):
            documents[-1].append(tokens)
    documents = [document for document in documents if document]
    words, rng = list(tokenizer.vocab.keys()), random.Random(1)
    middle = time.perf_counter()
    num_tokens = 0
    for number in range(len(documents)):
        for instance in creating.create_instances_from_document(
            documents, number, _LENGTH, _SHORT, _SHARE, _MAX_PREDICTIONS, words, rng
        ):
            num_tokens += len(instance.tokens)
    end = time.perf_counter()
    return {"pairs": num_tokens / (end - middle), "whole": num_tokens / (end - start)}


def _prepare(corpus: list[Path], vocab: Path, folder: Path) -> None:
    from bertsmith._parallel import Workers
    from bertsmith.corpus import open_corpus
    from bertsmith.store import write_store
    from bertsmith.wordpiece import Tokenizer

    text = open_corpus(corpus)
    write_store(text, Tokenizer(vocab), folder, workers=Workers(2), overwrite=True)


def _seek(folder: Path, step: int) -> float:
    import numpy as np

    from bertsmith.batches import PretrainingBatches
    from bertsmith.examples import ExampleSettings
    from bertsmith.store import TokenStore

    start = time.perf_counter()
    store = TokenStore(folder)
    documents = np.arange(store.num_documents)
    batches = PretrainingBatches(store, documents, ExampleSettings(), global_batch_size=256, seed=0)
    next(iter(batches.steps(first_step=step, micro_batch_size=32)))
    return time.perf_counter() - start
