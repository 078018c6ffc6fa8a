"""Scores of class predictions: accuracy, F1 and Matthews correlation."""

import math
from collections.abc import Sequence

import numpy as np

from bertsmith.metrics._checks import require_pairs

__all__ = ["accuracy", "binary_f1", "macro_f1", "matthews_correlation"]


def accuracy(labels: Sequence[int | str], predictions: Sequence[int | str]) -> float:
    """The share of predictions that equal their label.

    Args:
        labels: the right class of every example, at least one.
        predictions: the predicted class of every example.

    Returns:
        A number from 0 to 1.

    Raises:
        DataError: the lists differ in length or are empty.

    Example:
        >>> accuracy(["a", "b", "a", "b"], ["a", "b", "b", "b"])
        0.75
    """
    require_pairs(labels, predictions)
    hits = sum(label == guess for label, guess in zip(labels, predictions, strict=True))
    return hits / len(labels)


def binary_f1(
    labels: Sequence[int | str], predictions: Sequence[int | str], *, positive: int | str
) -> float:
    """F1 of one class, as GLUE scores MRPC and QQP.

    F1 = 2 · true positives / (2 · true positives + false positives + false negatives)

    Args:
        labels: the right class of every example, at least one.
        predictions: the predicted class of every example.
        positive: the class that counts as found.

    Returns:
        A number from 0 to 1; 0 where `positive` is neither among the labels nor predicted.

    Raises:
        DataError: the lists differ in length or are empty.

    Example:
        >>> round(binary_f1([1, 1, 0, 0], [1, 0, 1, 1], positive=1), 2)
        0.4
    """
    require_pairs(labels, predictions)
    is_positive = np.array([label == positive for label in labels])
    is_found = np.array([guess == positive for guess in predictions])
    num_both = int((is_positive & is_found).sum())
    return 2 * num_both / max(int(is_positive.sum()) + int(is_found.sum()), 1)


def matthews_correlation(labels: Sequence[int | str], predictions: Sequence[int | str]) -> float:
    """Matthews correlation, CoLA's score: the correlation of labels and predictions.

    With the confusion matrix C, its row sums t and column sums p, and s items of which c are
    right: (c·s − t·p) / √((s² − p·p)(s² − t·t)). For two classes it is
    (TP·TN − FP·FN) / √((TP+FP)(TP+FN)(TN+FP)(TN+FN)).

    **Source**: Matthews 1975; for more than two classes Gorodkin 2004.

    Args:
        labels: the right class of every example, at least one.
        predictions: the predicted class of every example.

    Returns:
        A number from -1 to 1. Where all labels or all predictions are the same class, nothing
        correlates and it is 0.

    Raises:
        DataError: the lists differ in length or are empty.

    Example:
        >>> round(matthews_correlation([1, 1, 1, 0], [1, 1, 0, 0]), 4)
        0.5774
        >>> matthews_correlation([1, 1, 0, 0], [1, 1, 1, 1])
        0.0
    """
    require_pairs(labels, predictions)
    ids = {name: index for index, name in enumerate(dict.fromkeys([*labels, *predictions]))}
    confusion = np.zeros((len(ids), len(ids)), dtype=np.int64)
    for label, guess in zip(labels, predictions, strict=True):
        confusion[ids[label], ids[guess]] += 1
    # Python integers: the products overflow 64 bits long before the counts do.
    row_sums = [int(count) for count in confusion.sum(axis=1)]
    column_sums = [int(count) for count in confusion.sum(axis=0)]
    size, num_right = len(labels), int(confusion.trace())
    covariance = num_right * size - sum(r * c for r, c in zip(row_sums, column_sums, strict=True))
    label_variance = size * size - sum(count * count for count in row_sums)
    guess_variance = size * size - sum(count * count for count in column_sums)
    if label_variance == 0 or guess_variance == 0:
        return 0.0
    return covariance / math.sqrt(label_variance * guess_variance)


def macro_f1(labels: Sequence[int | str], predictions: Sequence[int | str]) -> float:
    """The mean of every class's F1, so that rare classes weigh as much as frequent ones.

    Args:
        labels: the right class of every example, at least one.
        predictions: the predicted class of every example.

    Returns:
        A number from 0 to 1, over the classes that are labelled or predicted.

    Raises:
        DataError: the lists differ in length or are empty.

    Example:
        >>> round(macro_f1(["a", "a", "b"], ["a", "b", "b"]), 4)
        0.6667
    """
    require_pairs(labels, predictions)
    classes = dict.fromkeys([*labels, *predictions])
    return sum(binary_f1(labels, predictions, positive=c) for c in classes) / len(classes)
