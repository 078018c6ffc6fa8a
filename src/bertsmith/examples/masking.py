"""Masking: which tokens are to be predicted, and what stands in their place."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bertsmith.examples.choosing import choose_tokens, choose_words
from bertsmith.examples.hashing import Stream, integers, uniform
from bertsmith.examples.settings import ExampleSettings
from bertsmith.examples.source import SpecialIds

__all__ = ["MaskedTokens", "mask_tokens"]


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


def mask_tokens(
    input_ids: NDArray[np.int64],
    cu_seqlens: NDArray[np.int32],
    example_indices: NDArray[np.int64],
    vocabulary: SpecialIds,
    settings: ExampleSettings,
    seed: int,
    epoch: int,
    word_starts: NDArray[np.bool_] | None = None,
) -> MaskedTokens:
    """Masks packed sequences; a sequence's masks don't depend on what it is packed with.

    Of every sequence `num_predictions` tokens, [CLS] and [SEP] excepted, are chosen uniformly
    without replacement; or, where word starts are given, whole words of at most as many tokens. By
    default 80 % of the chosen tokens become [MASK], 10 % a token drawn uniformly from the whole
    vocabulary, and 10 % stay; this is drawn for every token, also within a word.

    **Source**: the paper, section 3.1; `create_masked_lm_predictions` of google-research/bert.

    Args:
        input_ids: token ids of all sequences end to end, [T].
        cu_seqlens: where sequences start, and the end of the last, [B + 1].
        example_indices: number of each example in its epoch, the key of its draws, [B].
        vocabulary: ids of the special tokens, and the size.
        settings: shares and limits.
        seed: the run's seed.
        epoch: number of the pass, from 0.
        word_starts: which tokens start a word, to mask whole words, [T]; None masks single tokens.
    """
    is_text = (input_ids != vocabulary.cls_id) & (input_ids != vocabulary.sep_id)
    arguments = is_text, cu_seqlens, example_indices, settings, seed, epoch
    if word_starts is None:
        positions = choose_tokens(*arguments)
    else:
        positions = choose_words(word_starts, *arguments)
    num_chosen = np.diff(np.searchsorted(positions, cu_seqlens))
    row = np.repeat(np.arange(len(example_indices)), num_chosen)
    example, column = example_indices[row], positions - cu_seqlens[row]

    labels = input_ids[positions]
    action = uniform(seed, Stream.MASK_ACTION, epoch, example, column)
    is_hidden = action < settings.mask_token_prob
    in_place = np.where(is_hidden, vocabulary.mask_id, labels)
    is_replaced = action < settings.mask_token_prob + settings.random_token_prob
    random = np.flatnonzero(is_replaced & ~is_hidden)
    draw = (epoch, example[random], column[random])
    in_place[random] = integers(0, len(vocabulary), seed, Stream.MASK_TOKEN, *draw)
    masked = input_ids.copy()
    masked[positions] = in_place
    return MaskedTokens(masked, positions, labels)
