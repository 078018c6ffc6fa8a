"""Examples as packed arrays: [CLS] A [SEP] B [SEP], masked."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from bertsmith.examples.masking import mask_tokens
from bertsmith.examples.plan import PairPlan
from bertsmith.examples.source import TokenSource
from bertsmith.examples.spans import ExampleSpans

__all__ = ["PackedExamples", "build_examples"]


@dataclass(frozen=True)
class PackedExamples:
    """B examples end to end on one token axis T, with P tokens to predict.

    Attributes:
        input_ids: token ids, masked, int64 [T].
        token_type_ids: 0 for [CLS] A [SEP], 1 for B [SEP], int64 [T].
        cu_seqlens: where examples start, and the end of the last, int32 [B + 1].
        masked_positions: where on the token axis a token is predicted, ascending, int64 [P].
        masked_labels: the original ids there, int64 [P].
        next_sentence_labels: 0 where B follows A, 1 where it is random or, with
            `pair_labels=order`, where the two are swapped, int64 [B]; None for single segments.
    """

    input_ids: NDArray[np.int64]
    token_type_ids: NDArray[np.int64]
    cu_seqlens: NDArray[np.int32]
    masked_positions: NDArray[np.int64]
    masked_labels: NDArray[np.int64]
    next_sentence_labels: NDArray[np.int64] | None

    @classmethod
    def concatenate(cls, parts: Sequence[Self]) -> Self:
        """Lays one or more groups of examples of the same kind end to end."""
        if len(parts) == 1:
            return parts[0]
        sizes = [len(part.input_ids) for part in parts]
        before = np.cumsum([0, *sizes[:-1]])
        ends = [part.cu_seqlens[1:] + shift for part, shift in zip(parts, before, strict=True)]
        positions = [p.masked_positions + shift for p, shift in zip(parts, before, strict=True)]
        labels = [p.next_sentence_labels for p in parts if p.next_sentence_labels is not None]
        return cls(
            np.concatenate([part.input_ids for part in parts]),
            np.concatenate([part.token_type_ids for part in parts]),
            np.concatenate([[0], *ends]).astype(np.int32),
            np.concatenate(positions),
            np.concatenate([part.masked_labels for part in parts]),
            np.concatenate(labels) if labels else None,
        )


def build_examples(
    source: TokenSource, plan: PairPlan, indices: NDArray[np.int64]
) -> PackedExamples:
    """Reads the examples `indices` of a plan from the store and masks them.

    An example's content depends on its index in the plan alone, not on its neighbours here.

    Args:
        source: the store that the plan was made for.
        plan: the epoch's examples.
        indices: numbers of examples, in [0, len(plan)), [B].
    """
    indices = np.asarray(indices, dtype=np.int64)
    spans, settings = plan.spans.take(indices), plan.settings
    layout = _lay_out(spans)
    input_ids = np.empty(layout.num_tokens, dtype=np.int64)
    input_ids[layout.cu_seqlens[:-1]] = source.vocabulary.cls_id
    input_ids[layout.segment_stops - 1] = source.vocabulary.sep_id
    input_ids[layout.is_text] = source.gather(layout.span_starts, layout.span_lengths)
    word_starts = None
    if settings.whole_word_masking:
        word_starts = np.zeros(layout.num_tokens, dtype=np.bool_)
        word_starts[layout.is_text] = source.gather_word_starts(
            layout.span_starts, layout.span_lengths
        )
    masked = mask_tokens(
        input_ids,
        layout.cu_seqlens,
        indices,
        source.vocabulary,
        settings,
        plan.seed,
        plan.epoch,
        word_starts,
    )
    labels = spans.next_sentence_labels
    return PackedExamples(
        masked.input_ids,
        layout.token_type_ids,
        layout.cu_seqlens,
        masked.positions,
        masked.labels,
        None if labels is None else labels.astype(np.int64),
    )


@dataclass(frozen=True)
class _Layout:
    """Where [CLS] A [SEP] (B [SEP]) of every example stands on the token axis T.

    Attributes:
        span_starts: where each segment starts in the store, [segments].
        span_lengths: how many tokens it has there, [segments].
        segment_stops: one past the [SEP] of each segment, [segments].
        cu_seqlens: where examples start, and the end of the last, int32 [B + 1].
        is_text: which tokens are neither [CLS] nor [SEP], [T].
        token_type_ids: number of the segment in its example, int64 [T].
    """

    span_starts: NDArray[np.int64]
    span_lengths: NDArray[np.int64]
    segment_stops: NDArray[np.int64]
    cu_seqlens: NDArray[np.int32]
    is_text: NDArray[np.bool_]
    token_type_ids: NDArray[np.int64]

    @property
    def num_tokens(self) -> int:
        return len(self.is_text)


def _lay_out(spans: ExampleSpans) -> _Layout:
    if spans.next_sentence_labels is None:
        span_starts, span_lengths = spans.a_start, spans.a_length.astype(np.int64)[:, None]
    else:
        span_starts = np.stack([spans.a_start, spans.b_start], axis=1)
        span_lengths = np.stack([spans.a_length, spans.b_length], axis=1).astype(np.int64)
    # Every segment ends in [SEP]; the first one starts with [CLS].
    segment_lengths = span_lengths + 1
    segment_lengths[:, 0] += 1
    segment_stops = np.cumsum(segment_lengths.ravel())
    example_stops = segment_stops.reshape(segment_lengths.shape)[:, -1]
    cu_seqlens = np.concatenate([[0], example_stops]).astype(np.int32)
    is_text = np.ones(int(cu_seqlens[-1]), dtype=np.bool_)
    is_text[cu_seqlens[:-1]] = False
    is_text[segment_stops - 1] = False
    segment = np.tile(np.arange(segment_lengths.shape[1]), len(spans))
    return _Layout(
        span_starts.ravel(),
        span_lengths.ravel(),
        segment_stops,
        cu_seqlens,
        is_text,
        np.repeat(segment, segment_lengths.ravel()),
    )
