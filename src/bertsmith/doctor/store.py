"""Examining a token store, before a model is trained on it."""

from pathlib import Path

import numpy as np

from bertsmith.doctor import store_checks
from bertsmith.doctor.examination import Examination, Fact
from bertsmith.doctor.finding import percent
from bertsmith.doctor.histogram import Histogram
from bertsmith.doctor.lookup import findings_of
from bertsmith.doctor.store_checks.integrity import damage
from bertsmith.doctor.store_measures import EpochMeasures, StoreMeasures
from bertsmith.errors import BertsmithError
from bertsmith.store import StoreManifest, TokenStore, describe, read_manifest
from bertsmith.store.manifest import commands_of

__all__ = ["examine_store"]

# The paper's run.
_PAPER_STEPS, _PAPER_BATCH, _PAPER_EPOCHS = 1_000_000, 256, 40
_NUM_FREQUENT = 8
_NOT_MEASURED = "everything else, because the store is damaged"


def examine_store(folder: str | Path, *, num_examples: int = 3) -> Examination:
    r"""Looks for what would spoil training on a token store.

    An epoch of pairs is planned at length 128 and at 512, as for training. Of a store of over two
    million sentences, documents spread evenly over it are planned, so that memory is bounded.

    Args:
        folder: the store.
        num_examples: how many examples a finding may have.

    Raises:
        StoreError: there is no store, or it may not be read.

    Example:
        >>> import pathlib, tempfile
        >>> from bertsmith.corpus import open_corpus
        >>> from bertsmith.store import write_store
        >>> from bertsmith.wordpiece import SPECIAL_TOKENS, Tokenizer, Vocabulary
        >>> folder = pathlib.Path(tempfile.mkdtemp())
        >>> _ = (folder / "a.jsonl").write_text('{"text": "It rains."}\n' * 20)
        >>> tokenizer = Tokenizer(Vocabulary([*SPECIAL_TOKENS, "it", "rains", "."]))
        >>> _ = write_store(open_corpus(folder / "a.jsonl"), tokenizer, folder / "store")
        >>> found = examine_store(folder / "store")
        >>> [finding.name for finding in found.findings][:3]
        ['little_text', 'one_sentence_documents', 'pair_labels']
    """
    manifest, name = read_manifest(Path(folder)), str(folder)
    commands = commands_of(manifest, Path(folder))
    try:
        store = TokenStore(folder)
        store.verify()
    except BertsmithError as error:
        if isinstance(error.__cause__, PermissionError):
            raise
        # Its numbers would say nothing, and ids may be out of range.
        found = (damage(error, Path(folder), commands, num_examples),)
        return Examination("store", name, _size_facts(manifest), (), found, (_NOT_MEASURED,))
    measures = StoreMeasures(store, commands, num_examples)
    findings = findings_of(store_checks, measures)
    return Examination("store", name, _facts(measures), _histograms(measures), findings)


def _size_facts(store: StoreManifest) -> tuple[Fact, ...]:
    rate = describe(store).unknown_rate
    return (
        Fact("num_documents", store.num_documents, "documents", f"{store.num_documents:,}"),
        Fact("num_sentences", store.num_sentences, "sentences", f"{store.num_sentences:,}"),
        Fact("num_tokens", store.num_tokens, "tokens", f"{store.num_tokens:,}"),
        Fact("vocab_size", store.vocab_size, "vocabulary", _vocabulary(store)),
        Fact("unknown_rate", rate, "[UNK]", percent(rate)),
    )


def _facts(measures: StoreMeasures) -> tuple[Fact, ...]:
    return (
        *_size_facts(measures.store.manifest),
        *_epoch_facts(measures.short_epoch),
        *_epoch_facts(measures.long_epoch),
        *_paper_facts(measures),
        *_frequency_facts(measures),
    )


def _vocabulary(manifest: StoreManifest) -> str:
    return f"{manifest.vocab_size:,} entries, {'lower-cased' if manifest.lowercase else 'cased'}"


def _epoch_facts(epoch: EpochMeasures) -> tuple[Fact, ...]:
    length = epoch.settings.max_seq_length
    values = {
        "num_examples": (
            epoch.num_examples,
            "examples an epoch",
            f"{epoch.num_examples:,} ({epoch.num_tokens:,} tokens)",
        ),
        "random_share": (epoch.random_share, "random pairs", percent(epoch.random_share)),
        "masked_share": (epoch.masked_share, "tokens to predict", percent(epoch.masked_share)),
        "unseen_share": (
            epoch.unseen_share,
            "text in no example of an epoch",
            percent(epoch.unseen_share),
        ),
        "padding_share": (
            epoch.padding_share,
            "padding, if it were padded",
            percent(epoch.padding_share),
        ),
    }
    return tuple(
        Fact(f"{name}_{length}", value, f"length {length}: {label}", text)
        for name, (value, label, text) in values.items()
    )


def _paper_facts(measures: StoreMeasures) -> tuple[Fact, ...]:
    examples = measures.short_epoch.num_examples
    epochs = _PAPER_STEPS * _PAPER_BATCH / examples
    steps = _PAPER_EPOCHS * examples / _PAPER_BATCH
    return (
        Fact(
            "paper_epochs",
            epochs,
            f"the paper's {_PAPER_STEPS:,} steps of {_PAPER_BATCH}",
            f"{epochs:,.0f} epochs of this store at length 128 (of the paper's text: 40)",
        ),
        Fact("paper_steps", steps, "its 40 epochs", f"{steps:,.0f} steps of {_PAPER_BATCH} here"),
    )


def _frequency_facts(measures: StoreMeasures) -> tuple[Fact, ...]:
    counts = measures.token_counts
    top = np.argsort(-counts, kind="stable")[:_NUM_FREQUENT]
    tokens = measures.store.vocabulary.tokens
    listed = ", ".join(f"{tokens[i]} {percent(counts[i] / counts.sum())}" for i in top)
    share = float(counts[top[0]] / counts.sum())
    return (
        Fact("frequent_tokens", listed, "most frequent tokens", listed),
        Fact(
            "unigram_accuracy",
            share,
            "unigram baseline",
            f"{percent(share)} right by always saying {tokens[top[0]]}",
        ),
        Fact(
            "unigram_loss",
            measures.unigram_loss,
            "unigram loss",
            f"{measures.unigram_loss:.2f} nats: a MLM loss that stays there knows how frequent "
            "tokens are, and no context",
        ),
    )


def _histograms(measures: StoreMeasures) -> tuple[Histogram, ...]:
    return (
        Histogram.of_lengths("sentence_tokens", "tokens a sentence", measures.sentence_lengths),
        Histogram.of_lengths(
            "document_sentences", "sentences a document", measures.document_lengths
        ),
        measures.short_epoch.lengths,
        measures.long_epoch.lengths,
    )
