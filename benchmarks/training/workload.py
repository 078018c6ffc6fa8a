"""The batches that both sides train on: masked sentence pairs of a real store."""

import tempfile
from pathlib import Path

from bertsmith.batches import PretrainingBatch, PretrainingBatches
from bertsmith.corpus import CorpusSettings, open_corpus
from bertsmith.demo.corpus import write_corpus
from bertsmith.demo.gather import gather_docstrings
from bertsmith.examples import ExampleSettings, split_documents
from bertsmith.store import TokenStore, write_store
from bertsmith.wordpiece import Tokenizer, learn_vocabulary

__all__ = ["build_store", "examples_of_length", "global_batches"]

_DOCUMENTATION_BYTES = 10_000_000


def build_store(folder: Path, text: Path | None, vocabulary: Path | None) -> TokenStore:
    """A store of a text; without one, of the documentation on this machine."""
    with tempfile.TemporaryDirectory() as work:
        if text is None:
            text = Path(work) / "corpus.jsonl"
            write_corpus(gather_docstrings(_DOCUMENTATION_BYTES), text)
        corpus = open_corpus([str(text)], CorpusSettings())
        if vocabulary is None:
            learned = learn_vocabulary((document.text for document in corpus), size=30_522)
            vocabulary = Path(work) / "vocab.txt"
            learned.save(vocabulary)
        write_store(corpus, Tokenizer(vocabulary, lowercase=True), folder)
    return TokenStore(folder)


def examples_of_length(length: int) -> ExampleSettings:
    """The paper's settings for a length."""
    return ExampleSettings(
        max_seq_length=length, max_predictions_per_seq=20 if length == 128 else 80
    )


def global_batches(
    store: TokenStore, length: int, *, batch_size: int, micro: int, number: int
) -> list[list[PretrainingBatch]]:
    """The first global batches of a run on a store, as micro-batches."""
    training, _ = split_documents(store.num_documents, held_out_fraction=0.01, seed=0)
    settings = examples_of_length(length)
    batches = PretrainingBatches(store, training, settings, global_batch_size=batch_size, seed=0)
    return [batches.micro_batches(step, micro) for step in range(number)]
