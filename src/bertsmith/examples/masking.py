"""Masking: which tokens are to be predicted, and what stands in their place."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bertsmith.examples.hashing import Stream, hash64, integers, uniform
from bertsmith.examples.settings import ExampleSettings
from bertsmith.examples.source import SpecialIds

__all__ = ["MaskedTokens", "mask_tokens", "num_predictions"]

# A sort key is 48 random bits above the position in the sequence, so that no two are equal.
_POSITION_BITS = np.uint64(0xFFFF)
_NEVER = np.uint64(0xFFFFFFFFFFFFFFFF)


@dataclass(frozen=True)
class MaskedTokens:
    """Packed sequences with some tokens replaced.

    Attributes:
        input_ids: ids with the replacements, int64 [T].
        positions: where on the packed axis tokens are to be predicted, ascending, int64 [P].
        labels: the original ids there, int64 [P].
    """

    input_ids: NDArray[np.int64]
    positions: NDArray[np.int64]
    labels: NDArray[np.int64]


def num_predictions(
    lengths: NDArray[np.int64], num_candidates: NDArray[np.int64], settings: ExampleSettings
) -> NDArray[np.int64]:
    """How many tokens of each sequence are predicted.

    `min(max_predictions, max(1, round(masked_lm_prob · length)))`, halves rounded to even, [CLS]
    and [SEP] counted in the length; and no more than there are candidates.

    **Source**: `create_masked_lm_predictions` of google-research/bert.

    Example:
        >>> lengths = np.array([4, 10, 30, 128])
        >>> num_predictions(lengths, lengths - 3, ExampleSettings()).tolist()
        [1, 2, 4, 19]
    """
    share = np.rint(lengths * settings.masked_lm_prob).astype(np.int64)
    wanted = np.minimum(np.maximum(share, 1), settings.max_predictions)
    return np.asarray(np.minimum(wanted, num_candidates))


def mask_tokens(
    input_ids: NDArray[np.int64],
    cu_seqlens: NDArray[np.int32],
    example_indices: NDArray[np.int64],
    vocabulary: SpecialIds,
    settings: ExampleSettings,
    seed: int,
    epoch: int,
) -> MaskedTokens:
    """Masks packed sequences; a sequence's masks don't depend on what it is packed with.

    Of every sequence `num_predictions` tokens, [CLS] and [SEP] excepted, are chosen uniformly
    without replacement. By default 80 % of them become [MASK], 10 % a token drawn uniformly from
    the whole vocabulary, and 10 % stay.

    **Source**: the paper, section 3.1; `create_masked_lm_predictions` of google-research/bert.

    Args:
        input_ids: token ids of all sequences end to end, [T].
        cu_seqlens: where sequences start, and the end of the last, [B + 1].
        example_indices: number of each example in its epoch, the key of its draws, [B].
        vocabulary: ids of the special tokens, and the size.
        settings: shares and limits.
        seed: the run's seed.
        epoch: number of the pass, from 0.
    """
    starts = cu_seqlens[:-1].astype(np.int64)
    lengths = np.diff(cu_seqlens).astype(np.int64)
    is_text = (input_ids != vocabulary.cls_id) & (input_ids != vocabulary.sep_id)
    columns = np.arange(lengths.max(initial=0))
    is_candidate = columns < lengths[:, None]
    is_candidate[is_candidate] = is_text

    key = hash64(seed, Stream.MASK_CHOICE, epoch, example_indices[:, None], columns)
    key = (key & ~_POSITION_BITS) | columns.astype(np.uint64)
    key = np.sort(np.where(is_candidate, key, _NEVER), axis=1)
    wanted = num_predictions(lengths, is_candidate.sum(axis=1), settings)
    row, rank = np.nonzero(columns < wanted[:, None])
    column = (key[row, rank] & _POSITION_BITS).astype(np.int64)
    # Rows follow each other on the packed axis, so one sort puts each row's positions in order.
    by_position = np.argsort(starts[row] + column)
    row, column = row[by_position], column[by_position]

    positions = starts[row] + column
    labels = input_ids[positions]
    draw = (epoch, example_indices[row], column)
    action = uniform(seed, Stream.MASK_ACTION, *draw)
    random_ids = integers(0, len(vocabulary), seed, Stream.MASK_TOKEN, *draw)
    in_place = np.where(
        action < settings.mask_token_prob,
        vocabulary.mask_id,
        np.where(
            action < settings.mask_token_prob + settings.random_token_prob, random_ids, labels
        ),
    )
    masked = input_ids.copy()
    masked[positions] = in_place
    return MaskedTokens(masked, positions, labels)
