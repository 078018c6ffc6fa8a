"""Which tokens of a sequence are to be predicted: single ones, or whole words."""

import numpy as np
from numpy.typing import NDArray

from bertsmith.examples.hashing import Stream, hash64
from bertsmith.examples.settings import ExampleSettings

__all__ = ["choose_tokens", "choose_words", "num_predictions"]

# A sort key is 48 random bits above a number within the sequence, so that no two are equal.
_NUMBER_BITS = np.uint64(0xFFFF)
_NEVER = np.uint64(0xFFFFFFFFFFFFFFFF)


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


def choose_tokens(
    is_text: NDArray[np.bool_],
    cu_seqlens: NDArray[np.int32],
    example_indices: NDArray[np.int64],
    settings: ExampleSettings,
    seed: int,
    epoch: int,
) -> NDArray[np.int64]:
    """Chooses `num_predictions` tokens of every sequence, uniformly without replacement.

    Args:
        is_text: which tokens can be chosen: all but [CLS] and [SEP], [T].
        cu_seqlens: where sequences start, and the end of the last, [B + 1].
        example_indices: number of each example in its epoch, the key of its draws, [B].
        settings: shares and limits.
        seed: the run's seed.
        epoch: number of the pass, from 0.

    Returns:
        Where the chosen tokens stand on the packed axis, ascending, int64 [P].
    """
    starts, lengths = cu_seqlens[:-1].astype(np.int64), np.diff(cu_seqlens).astype(np.int64)
    columns = np.arange(lengths.max(initial=0))
    key = hash64(seed, Stream.MASK_CHOICE, epoch, example_indices[:, None], columns)
    key &= ~_NUMBER_BITS
    key |= columns.astype(np.uint64)
    np.copyto(key, _NEVER, where=columns >= lengths[:, None])
    special = np.flatnonzero(~is_text)
    num_specials = np.diff(np.searchsorted(special, cu_seqlens))
    key[
        np.repeat(np.arange(len(starts)), num_specials), special - np.repeat(starts, num_specials)
    ] = _NEVER
    key.sort(axis=1)
    wanted = num_predictions(lengths, lengths - num_specials, settings)
    first = key[:, : wanted.max(initial=0)] & _NUMBER_BITS
    positions = first.astype(np.int64) + starts[:, None]
    # Rows follow each other on the packed axis, so one sort puts each row's positions in order.
    return np.sort(positions[np.arange(first.shape[1]) < wanted[:, None]])


def choose_words(
    word_starts: NDArray[np.bool_],
    is_text: NDArray[np.bool_],
    cu_seqlens: NDArray[np.int32],
    example_indices: NDArray[np.int64],
    settings: ExampleSettings,
    seed: int,
    epoch: int,
) -> NDArray[np.int64]:
    """Chooses whole words of every sequence, in a random order, while there is room for them.

    There is room for `num_predictions` tokens. A word that would go beyond is skipped, so a
    sequence can have fewer predictions, or none where every word is too long.

    A token that doesn't start a word belongs to the word before it, and if there is none it starts
    one. So, as in Google's code, if trimming took the first pieces of B's first word, the rest of
    it goes with the last word of A.

    **Source**: `create_masked_lm_predictions` of google-research/bert, `do_whole_word_mask`.

    Args:
        word_starts: which tokens start a word, [T]; not looked at for [CLS] and [SEP].
        is_text: see `choose_tokens`.
        cu_seqlens: see `choose_tokens`.
        example_indices: see `choose_tokens`.
        settings: see `choose_tokens`.
        seed: see `choose_tokens`.
        epoch: see `choose_tokens`.

    Returns:
        Where the chosen tokens stand on the packed axis, ascending, int64 [P].
    """
    token = np.flatnonzero(is_text)
    text_offsets = np.searchsorted(token, cu_seqlens)
    begins = word_starts[token]
    begins[text_offsets[:-1][np.diff(text_offsets) > 0]] = True
    first_piece = np.flatnonzero(begins)
    num_pieces = np.diff(first_piece, append=len(token))
    first_token = token[first_piece]

    word_offsets = np.searchsorted(first_token, cu_seqlens)
    num_words = np.diff(word_offsets)
    row = np.repeat(np.arange(len(num_words)), num_words)
    key = hash64(
        seed, Stream.MASK_CHOICE, epoch, example_indices[row], first_token - cu_seqlens[row]
    )
    number = np.arange(len(row)) - word_offsets[row]
    is_word = np.arange(num_words.max(initial=0)) < num_words[:, None]
    keys = np.full(is_word.shape, _NEVER)
    keys[is_word] = (key & ~_NUMBER_BITS) | number.astype(np.uint64)
    keys.sort(axis=1)
    # The padding was sorted behind the words, so `is_word` still tells which is which.
    shuffled = word_offsets[row] + (keys[is_word] & _NUMBER_BITS).astype(np.int64)
    sizes = np.zeros(is_word.shape, dtype=np.int32)
    sizes[is_word] = num_pieces[shuffled]
    lengths = np.diff(cu_seqlens).astype(np.int64)
    room = num_predictions(lengths, np.diff(text_offsets), settings)
    is_chosen = np.zeros(len(row), dtype=np.bool_)
    is_chosen[shuffled[_fill(sizes, room)[is_word]]] = True
    return np.asarray(token[np.repeat(is_chosen, num_pieces)])


def _fill(sizes: NDArray[np.int32], room: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which things of every row are taken, one after another, each if there is room left for it.

    In a round each row takes all that comes before the first thing that doesn't fit any more. What
    is larger than the room left is never taken, so few rounds are needed.

    Args:
        sizes: size of every thing, 0 where there is none, [rows, things].
        room: how much fits into each row, [rows].
    """
    taken = np.zeros(sizes.shape, dtype=np.bool_)
    rows = np.flatnonzero(room)
    room = room[rows].astype(np.int32)
    while len(rows):
        left = np.where(taken[rows] | (sizes[rows] > room[:, None]), 0, sizes[rows])
        used = np.cumsum(left, axis=1, dtype=np.int32)
        now = (left > 0) & (used <= room[:, None])
        taken[rows] |= now
        room -= np.where(now, left, 0).sum(axis=1, dtype=np.int32)
        goes_on = now.any(axis=1) & (room > 0)
        rows, room = rows[goes_on], room[goes_on]
    return taken
