"""Examples as people can read them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bertsmith.errors import InputError
from bertsmith.examples.build import PackedExamples, build_examples
from bertsmith.examples.plan import PairPlan, plan_epoch
from bertsmith.examples.settings import ExampleSettings
from bertsmith.examples.split import epoch_order
from bertsmith.store import TokenStore
from bertsmith.wordpiece.vocabulary import CONTINUATION

__all__ = ["SampledExample", "sample_examples"]

_LABELS = {
    ("random", 0): "B follows A",
    ("random", 1): "B is random text",
    ("order", 0): "A and B are in order",
    ("order", 1): "A and B are swapped",
}


@dataclass(frozen=True)
class SampledExample:
    """An example, decoded.

    Attributes:
        number: its place in the epoch's order, from 0.
        num_examples: examples in the epoch.
        segments: the text of A and, for pairs, of B. A space stands where a word starts. A token
            to be predicted is shown as `[original→shown]`: `[fox→[MASK]]`, `[fox→tree]` where a
            random token stands in its place, and `[fox→fox]` where it was left.
        label: the pair's label, 0 or 1; None for single segments.
        label_meaning: what it means, in words; "" for single segments.
        titles: the titles of the segments' documents, "" where a document has none.
        num_tokens: its length, [CLS] and [SEP] counted.
        num_predictions: how many tokens are to be predicted.
    """

    number: int
    num_examples: int
    segments: tuple[str, ...]
    label: int | None
    label_meaning: str
    titles: tuple[str, ...]
    num_tokens: int
    num_predictions: int


def sample_examples(
    store: TokenStore,
    settings: ExampleSettings,
    *,
    first: int = 0,
    number: int = 5,
    seed: int = 0,
    epoch: int = 0,
    documents: NDArray[np.int64] | None = None,
) -> list[SampledExample]:
    """Decodes examples of an epoch, in the order in which a run sees them.

    Args:
        store: the token store.
        settings: how examples are made.
        first: place of the first one in the epoch's order, from 0.
        number: how many; fewer where the epoch ends.
        seed: decides pairs, masks and order.
        epoch: number of the pass over the documents, from 0.
        documents: ids of the documents to use; all of them where None.

    Raises:
        InputError: the epoch has no example at `first`.
        StoreError: the documents give no examples.
    """
    if documents is None:
        documents = np.arange(store.num_documents)
    plan = plan_epoch(store, documents, settings, seed, epoch)
    order = epoch_order(len(plan), seed, epoch)
    if not 0 <= first < len(plan):
        what = f"there is no example {first} in an epoch of {len(plan)}"
        raise InputError(what, fix=f"give 0 to {len(plan) - 1}")
    places = range(first, min(first + number, len(plan)))
    return [_decode(store, plan, place, order[place : place + 1]) for place in places]


def _decode(
    store: TokenStore, plan: PairPlan, number: int, index: NDArray[np.int64]
) -> SampledExample:
    example, spans = build_examples(store, plan, index), plan.spans.take(index)
    pairs = plan.settings.next_sentence
    starts = [int(spans.a_start[0]), int(spans.b_start[0])][: 1 + pairs]
    lengths = [int(spans.a_length[0]), int(spans.b_length[0])][: 1 + pairs]
    places = [1, lengths[0] + 2]
    tokens, masks = _tokens(store, example)
    segments = []
    for start, length, place in zip(starts, lengths, places, strict=False):
        here = slice(place, place + length)
        starts_word = store.gather_word_starts([start], [length])
        segments.append(_text(tokens[here], masks[here], starts_word))
    label, meaning = None, ""
    if example.next_sentence_labels is not None:
        label = int(example.next_sentence_labels[0])
        meaning = _LABELS[plan.settings.pair_labels, label]
    first_tokens = store.sentence_offsets[store.document_offsets]
    of_document = np.searchsorted(first_tokens, starts, side="right") - 1
    return SampledExample(
        number,
        len(plan),
        tuple(segments),
        label,
        meaning,
        tuple(store.title(int(document)) for document in of_document),
        len(example.input_ids),
        len(example.masked_positions),
    )


def _tokens(store: TokenStore, example: PackedExamples) -> tuple[list[str], list[str | None]]:
    """The original tokens, and what stands in the place of those to be predicted, else None."""
    names = store.vocabulary.tokens
    tokens = [names[token_id] for token_id in example.input_ids.tolist()]
    shown = list[str | None](None for _ in tokens)
    masked = zip(example.masked_positions.tolist(), example.masked_labels.tolist(), strict=True)
    for position, label in masked:
        shown[position] = tokens[position]
        tokens[position] = names[label]
    return tokens, shown


def _text(tokens: list[str], shown: list[str | None], starts_word: NDArray[np.bool_]) -> str:
    parts = []
    for token, instead, starts in zip(tokens, shown, starts_word.tolist(), strict=True):
        bare = token.removeprefix(CONTINUATION) or token
        if instead is not None:
            bare = f"[{bare}→{bare if instead == token else instead}]"
        parts.append(f" {bare}" if starts else bare)
    return "".join(parts).lstrip()
