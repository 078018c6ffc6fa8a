"""By how much a merge raises the likelihood of the text under a unigram model of its symbols."""

from decimal import Context, Decimal

import numpy as np
from numpy.typing import NDArray

__all__ = ["PairCounts", "exact_gain", "gain_bound", "gains"]

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

PairCounts = tuple[int, int, int, bool]
"""Of a pair: its own count, left's, right's; whether left is right."""

# Decimals tell apart what double precision cannot, and are the same on every machine. What is left
# of 60 digits after the differences of large numbers is cut, so that equal gains are equal.
_EXACT = Context(prec=60)
_LAST_PLACE = Decimal("1e-30")


def gains(
    pair: Integers,
    left: Integers,
    right: Integers,
    twice: NDArray[np.bool_],
    total: int,
) -> Floats:
    r"""Returns what merging raises the log-likelihood by, in nats.

    A text of N symbols in which symbol s stands $c_s$ times has the log-likelihood
    $\sum_s f(c_s) - f(N)$ with $f(x) = x \ln x$. Merging n occurrences of the pair ab gives

    $$f(n) + f(c_a - n) - f(c_a) + f(c_b - n) - f(c_b) - f(N - n) + f(N);$$

    for aa it is $f(c_a - 2n) - f(c_a)$ instead of the two terms for a and b. While n is small
    beside the other counts this is $n \ln (n N / (c_a c_b))$, but for terms in $n^2$.

    The joined symbol is always a new one. Every merge is made wherever it can be, so the same
    string, not cut by anything around it, is joined by the same merges at the same time.

    Args:
        pair: n, the occurrences that are merged, int64 [pairs], at least 1.
        left: $c_a$ [pairs].
        right: $c_b$ [pairs].
        twice: whether the pair is twice the same symbol [pairs].
        total: N.
    """
    rise = pair * np.log(pair) + _fall(np.full(len(pair), total), pair)
    by_left, by_right = np.where(twice, 2 * pair, pair), np.where(twice, 0, pair)
    return rise - (_fall(left, by_left) + _fall(right, by_right))


def exact_gain(counts: PairCounts, total: int) -> Decimal:
    """The gain of one pair, to thirty places: for what double precision cannot decide.

    Example:
        >>> round(exact_gain((2, 2, 4, False), total=10), 6)
        Decimal('2.231436')
    """
    pair, left, right, twice = counts
    fallen = [(left, 2 * pair)] if twice else [(left, pair), (right, pair)]
    gain = _EXACT.add(_f(pair), _EXACT.subtract(_f(total), _f(total - pair)))
    for count, by in fallen:
        gain = _EXACT.subtract(gain, _EXACT.subtract(_f(count), _f(count - by)))
    return gain.quantize(_LAST_PLACE, context=_EXACT)


def gain_bound(pair: int, total: int) -> float:
    r"""What no pair of this count can gain more than: $n (1 + \ln (N / n))$.

    The falls of $f(c_a)$ and $f(c_b)$ cost at least $n \ln n$ each, the rise of $-f(N)$ brings at
    most $n (1 + \ln N)$. The bound grows with n.
    """
    return pair * (1 + float(np.log(total / pair)))


def _fall(count: Integers, by: Integers) -> Floats:
    """f(count) − f(count − by), without the rounding of a difference of large numbers."""
    rest = count - by
    share = np.where(rest > 0, -by / count, 0.0)
    fall: Floats = by * np.log(count) - rest * np.log1p(share)
    return fall


def _f(x: int) -> Decimal:
    return _EXACT.multiply(Decimal(x), _EXACT.ln(Decimal(x))) if x > 0 else Decimal(0)
