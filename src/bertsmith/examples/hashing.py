"""Random numbers as a pure function of what they are drawn for.

A generator that is advanced draw by draw ties every example to the ones before it. Here a draw is
the hash of (seed, stream, counters): the same on every platform, in any order, on any worker.
"""

from enum import IntEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Stream", "hash64", "integers", "successes", "uniform"]

_WORD = (1 << 64) - 1
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_LOW_HALF = np.uint64(0xFFFFFFFF)


class Stream(IntEnum):
    """What a draw is for. The numbers are part of every run's results: never renumber."""

    HELD_OUT = 1
    ORDER = 2
    SHORT_SEQUENCE = 3
    TARGET_LENGTH = 4
    SEGMENT_SPLIT = 5
    NEXT_SENTENCE = 6
    RANDOM_DOCUMENT = 7
    RANDOM_SENTENCE = 8
    TRIM_A = 9
    TRIM_B = 10
    WINDOW = 11
    MASK_CHOICE = 12
    MASK_ACTION = 13
    MASK_TOKEN = 14
    SENTENCE_ORDER = 15


def hash64(seed: int, stream: Stream, *counters: ArrayLike) -> NDArray[np.uint64]:
    """Hashes (seed, stream, counters) to 64 random bits, broadcasting over the counters.

    `h₀ = mix(seed + stream·γ)`, then `h ← mix(h + (counter + 1)·γ)` for each counter, where `mix`
    and γ are SplitMix64's. For a fixed prefix the last step is a bijection, so that hashes that
    differ in the last counter alone are never equal.

    **Source**: Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014.

    Args:
        seed: the run's seed, any integer (taken modulo 2⁶⁴).
        stream: what the numbers are for; streams are independent of each other.
        counters: integers or arrays of them that name the draw, such as epoch, example, position.

    Returns:
        One hash for each element of the counters' broadcast shape.

    Example:
        >>> [hex(h) for h in hash64(0, Stream.ORDER, [0, 1])]
        ['0x46b73e79f0c37c00', '0x374327c63d0cc8a6']
    """
    with np.errstate(over="ignore"):
        state = _mix(np.asarray(np.uint64(seed & _WORD) + np.uint64(stream) * _GOLDEN))
        for counter in counters:
            step = np.asarray(counter).astype(np.uint64) + np.uint64(1)
            step *= _GOLDEN
            state = _mix(np.asarray(state + step))
    return state


def uniform(seed: int, stream: Stream, *counters: ArrayLike) -> NDArray[np.float64]:
    """Draws numbers uniform in [0, 1), multiples of 2⁻⁵³; the arguments are `hash64`'s.

    Example:
        >>> uniform(0, Stream.ORDER, [0, 1]).round(4).tolist()
        [0.2762, 0.2159]
    """
    return np.asarray((hash64(seed, stream, *counters) >> np.uint64(11)) * 2.0**-53)


def integers(
    low: ArrayLike, high: ArrayLike, seed: int, stream: Stream, *counters: ArrayLike
) -> NDArray[np.int64]:
    """Draws integers uniform in [low, high): the high word of `hash · (high − low)`.

    A range of n numbers is uneven by less than n / 2⁶⁴.

    Args:
        low: smallest value.
        high: one more than the largest; at most 2³² above `low`.
        seed: see `hash64`.
        stream: see `hash64`.
        counters: see `hash64`.

    Example:
        >>> integers(1, 7, 0, Stream.ORDER, range(5)).tolist()
        [2, 2, 6, 1, 3]
    """
    bits = hash64(seed, stream, *counters)
    smallest = np.asarray(low, dtype=np.int64)
    size = (np.asarray(high, dtype=np.int64) - smallest).astype(np.uint64)
    shift = np.uint64(32)
    upper = (bits >> shift) * size + (((bits & _LOW_HALF) * size) >> shift)
    return np.asarray(smallest + (upper >> shift).astype(np.int64))


def successes(
    trials: NDArray[np.int64], seed: int, stream: Stream, *counters: NDArray[np.int64] | int
) -> NDArray[np.int64]:
    """Draws how many of `trials` fair coins show heads: Binomial(trials, 1/2), exactly.

    Counts the ones among `trials` random bits.

    Args:
        trials: number of coins of each draw, non-negative, one-dimensional.
        seed: see `hash64`.
        stream: see `hash64`.
        counters: see `hash64`; arrays have one element for each draw.

    Example:
        >>> successes(np.array([0, 1, 100, 10_000]), 0, Stream.TRIM_A, np.arange(4)).tolist()
        [0, 0, 43, 4965]
    """
    num_words = (trials + 63) // 64
    draw = np.repeat(np.arange(len(trials)), num_words)
    first_word = np.concatenate([[0], np.cumsum(num_words)])
    word = np.arange(first_word[-1]) - first_word[draw]
    own = [np.broadcast_to(counter, trials.shape)[draw] for counter in counters]
    num_bits = np.minimum(trials[draw] - 64 * word, 64)
    bits = hash64(seed, stream, *own, word) >> (64 - num_bits).astype(np.uint64)
    ones = np.concatenate([[0], np.cumsum(np.bitwise_count(bits), dtype=np.int64)])
    return np.asarray(ones[first_word[1:]] - ones[first_word[:-1]])


def _mix(state: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """SplitMix64's finaliser, in place: every input bit flips every output bit at a chance of ½."""
    shifted = np.empty_like(state)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        state ^= np.right_shift(state, np.uint64(shift), out=shifted)
        state *= np.uint64(factor)
    state ^= np.right_shift(state, np.uint64(31), out=shifted)
    return state
