"""What is measured about a token store: lengths, frequencies, and the examples of an epoch."""

import shlex
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from bertsmith.corpus.commands import Commands
from bertsmith.doctor.histogram import Histogram
from bertsmith.doctor.sizes import fitting_size
from bertsmith.examples import ExampleSettings, ExampleSpans, build_examples, plan_epoch
from bertsmith.store import StoreSummary, TokenStore, describe
from bertsmith.wordpiece.characters import is_chinese

__all__ = ["EpochMeasures", "StoreMeasures", "covered_tokens", "measure_epoch"]

# Planning takes 200 bytes a sentence; a million documents say as much as all of them.
_MAX_SENTENCES = 2**21
_MAX_EXAMPLES, _EXAMPLES_AT_ONCE = 2**15, 2**11
_MAX_FIRST_TOKENS = 2**16
_MAX_TOKENS, _TOKENS_AT_ONCE = 2**28, 2**22
# Of English, with a vocabulary that fits.
TOKENS_A_WORD = 1.3


@dataclass(frozen=True)
class EpochMeasures:
    """One epoch of pairs, as `plan_epoch` would cut it for training.

    Attributes:
        settings: how examples are cut.
        num_examples: examples of the epoch; estimated where not all documents were planned.
        num_tokens: their tokens, [CLS] and [SEP] counted; likewise.
        random_share: share of pairs whose second segment is random.
        masked_share: share of tokens to predict.
        unseen_share: share of the text's tokens that are in no example of the epoch.
        lengths: how long the examples are.
    """

    settings: ExampleSettings
    num_examples: int
    num_tokens: int
    random_share: float
    masked_share: float
    unseen_share: float
    lengths: Histogram

    @property
    def padding_share(self) -> float:
        """What would be padding if every example were padded to the longest allowed."""
        return 1 - self.lengths.mean / self.settings.max_seq_length


def measure_epoch(store: TokenStore, settings: ExampleSettings) -> EpochMeasures:
    r"""Plans an epoch of a store and builds a sample of its examples.

    Of a store of over two million sentences, documents spread evenly over it are planned.

    Args:
        store: the store.
        settings: how examples are cut; pairs.

    Example:
        >>> import pathlib, tempfile
        >>> from bertsmith.corpus import open_corpus
        >>> from bertsmith.store import write_store
        >>> from bertsmith.wordpiece import SPECIAL_TOKENS, Tokenizer, Vocabulary
        >>> folder = pathlib.Path(tempfile.mkdtemp())
        >>> _ = (folder / "a.txt").write_text("It rains.\n\nIt rains.\n\nIt rains.\n")
        >>> tokenizer = Tokenizer(Vocabulary([*SPECIAL_TOKENS, "it", "rains", "."]))
        >>> _ = write_store(open_corpus(folder / "a.txt"), tokenizer, folder / "store")
        >>> measure_epoch(TokenStore(folder / "store"), ExampleSettings()).random_share
        1.0
    """
    documents = _spread(
        store.num_documents, store.num_documents * _MAX_SENTENCES / store.num_sentences
    )
    plan = plan_epoch(store, documents, settings, seed=0, epoch=0)
    spans = plan.spans
    lengths = spans.a_length + spans.b_length + settings.num_special_tokens
    text = _num_tokens(store, documents)
    scale = store.num_tokens / text
    labels = spans.next_sentence_labels
    num_tokens = num_masked = 0
    chosen = _spread(len(plan), _MAX_EXAMPLES)
    for start in range(0, len(chosen), _EXAMPLES_AT_ONCE):
        examples = build_examples(store, plan, chosen[start : start + _EXAMPLES_AT_ONCE])
        num_tokens += len(examples.input_ids)
        num_masked += len(examples.masked_positions)
    length = settings.max_seq_length
    label = f"tokens an example, at most {length}"
    return EpochMeasures(
        settings,
        num_examples=round(len(plan) * scale),
        num_tokens=round(int(lengths.sum()) * scale),
        random_share=0.0 if labels is None else float(labels.mean()),
        masked_share=num_masked / num_tokens,
        unseen_share=1 - covered_tokens(spans) / text,
        lengths=Histogram.of_lengths(f"example_tokens_{length}", label, lengths, length // 16),
    )


def covered_tokens(spans: ExampleSpans) -> int:
    """How many tokens of the store are in at least one of the spans.

    Example:
        >>> numbers = ([0, 1], [4, 2], [3, 9], [3, 1])
        >>> spans = ExampleSpans(*map(np.array, numbers), None)
        >>> covered_tokens(spans)
        7
    """
    starts = np.concatenate([spans.a_start, spans.b_start])
    stops = starts + np.concatenate([spans.a_length, spans.b_length])
    order = np.argsort(starts)
    starts, stops = starts[order], stops[order]
    reached = np.maximum.accumulate(stops)
    before = np.concatenate([starts[:1], reached[:-1]])
    return int(np.maximum(reached - np.maximum(starts, before), 0).sum())


class StoreMeasures:
    """A store and what is measured about it, each when it is first asked for.

    Args:
        store: the store.
        commands: builds the commands that mend something.
        num_examples: how many examples a finding may have.
    """

    def __init__(self, store: TokenStore, commands: Commands, num_examples: int = 3) -> None:
        self.store, self.commands, self.num_examples = store, commands, num_examples

    @property
    def name(self) -> str:
        """The store's folder, as a command names it."""
        return shlex.quote(str(self.store.folder))

    def pretrain(self, *changes: str) -> str:
        """The command for a short run on the store, with settings changed, each `path=value`."""
        words = [self.name, "--recipe tiny --budget 10m", *(f"--set {c}" for c in changes)]
        return f"bertsmith pretrain {' '.join(words)} -o runs/first"

    @cached_property
    def summary(self) -> StoreSummary:
        """What the manifest says."""
        return describe(self.store.manifest)

    @cached_property
    def sentence_lengths(self) -> NDArray[np.int64]:
        """Tokens of every sentence, int64 [sentences]."""
        return np.diff(self.store.sentence_offsets)

    @cached_property
    def document_lengths(self) -> NDArray[np.int64]:
        """Sentences of every document, int64 [documents]."""
        return np.diff(self.store.document_offsets)

    @cached_property
    def unknown_first_share(self) -> float:
        """Share of sentences whose first token is [UNK], of up to 65,536 spread evenly."""
        store = self.store
        starts = store.sentence_offsets[_spread(store.num_sentences, _MAX_FIRST_TOKENS)]
        first = store.gather(starts, np.ones_like(starts))
        return float((first == store.vocabulary.unk_id).mean())

    @cached_property
    def token_counts(self) -> NDArray[np.int64]:
        """How often every entry of the vocabulary occurs, int64 [V]; a sample of large stores."""
        store = self.store
        blocks = _spread(-(-store.num_tokens // _TOKENS_AT_ONCE), _MAX_TOKENS / _TOKENS_AT_ONCE)
        counts = np.zeros(store.manifest.vocab_size, np.int64)
        for start in (blocks * _TOKENS_AT_ONCE).tolist():
            ids = store.tokens(start, min(start + _TOKENS_AT_ONCE, store.num_tokens))
            counts += np.bincount(ids, minlength=len(counts))
        return counts

    @property
    def fitting_size(self) -> int:
        """The size of a vocabulary for the text, as far as its tokens tell."""
        tokens = self.store.vocabulary.tokens
        letters = sum(len(token) == 1 and not is_chinese(token) for token in tokens)
        return fitting_size(self.store.num_tokens / TOKENS_A_WORD, letters)

    @cached_property
    def unigram_loss(self) -> float:
        """Entropy of a token by its frequency alone, in nats."""
        shares = self.token_counts[self.token_counts > 0] / self.token_counts.sum()
        return float(-(shares * np.log(shares)).sum())

    @cached_property
    def short_epoch(self) -> EpochMeasures:
        """An epoch of the paper's first phase, at length 128."""
        return measure_epoch(self.store, ExampleSettings(max_seq_length=128))

    @cached_property
    def long_epoch(self) -> EpochMeasures:
        """An epoch of the paper's second phase, at length 512."""
        return measure_epoch(self.store, ExampleSettings(max_seq_length=512))


def _spread(total: int, wanted: float) -> NDArray[np.int64]:
    """Up to `wanted` of `total` indices, at least one, evenly spread."""
    if total <= wanted:
        return np.arange(total)
    return np.linspace(0, total - 1, max(int(wanted), 1)).astype(np.int64)


def _num_tokens(store: TokenStore, documents: NDArray[np.int64]) -> int:
    starts = store.sentence_offsets[store.document_offsets[documents]]
    return int((store.sentence_offsets[store.document_offsets[documents + 1]] - starts).sum())
