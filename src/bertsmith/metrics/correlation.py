"""Scores of predicted numbers: Pearson and Spearman correlation."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from bertsmith.errors import DataError
from bertsmith.metrics._checks import require_pairs

__all__ = ["pearson_correlation", "spearman_correlation"]


def pearson_correlation(labels: Sequence[float], predictions: Sequence[float]) -> float:
    """Pearson correlation, STS-B's score: how close the pairs lie to a rising line.

    r = Σ(x − x̄)(y − ȳ) / √(Σ(x − x̄)² · Σ(y − ȳ)²)

    Args:
        labels: the right number of every example, at least one.
        predictions: the predicted number of every example.

    Returns:
        A number from -1 to 1. Where all labels or all predictions are the same number, r is 0/0
        and this returns 0.0: a constant predicts nothing.

    Raises:
        DataError: the lists differ in length or are empty, or a number is not finite.

    Example:
        >>> round(pearson_correlation([1, 2, 3, 4], [2, 4, 6, 9]), 4)
        0.9944
        >>> pearson_correlation([1, 2, 3], [5, 5, 5])
        0.0
    """
    return _correlation(*_finite(labels, predictions))


def spearman_correlation(labels: Sequence[float], predictions: Sequence[float]) -> float:
    """Spearman correlation: Pearson's of the ranks, equal numbers sharing their mean rank.

    Args:
        labels: the right number of every example, at least one.
        predictions: the predicted number of every example.

    Returns:
        A number from -1 to 1; 0.0 where all labels or all predictions are the same number.

    Raises:
        DataError: the lists differ in length or are empty, or a number is not finite.

    Example:
        >>> round(spearman_correlation([1, 2, 3, 4], [10, 20, 40, 30]), 4)
        0.8
    """
    x, y = _finite(labels, predictions)
    return _correlation(np.asarray(rankdata(x)), np.asarray(rankdata(y)))


def _finite(
    labels: Sequence[float], predictions: Sequence[float]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    require_pairs(labels, predictions)
    x, y = np.asarray(labels, dtype=np.float64), np.asarray(predictions, dtype=np.float64)
    for values, name in ((x, "label"), (y, "prediction")):
        if not np.isfinite(values).all():
            place = int(np.flatnonzero(~np.isfinite(values))[0])
            raise DataError(f"{name} {place} is not a finite number: {values[place]}")
    return x, y


def _correlation(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    if x.min() == x.max() or y.min() == y.max():
        return 0.0
    return min(1.0, max(-1.0, float(_unit(x) @ _unit(y))))


def _unit(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Centred and of length 1; scaled first, so that no square over- or underflows."""
    scaled = values / np.abs(values).max()
    centred = scaled - scaled.mean()
    length = math.sqrt(float(centred @ centred))
    return np.asarray(centred / length if length else centred)
