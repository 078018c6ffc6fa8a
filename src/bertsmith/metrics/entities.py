"""Scores of named entities: precision, recall and F1 over whole entities."""

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

from bertsmith.metrics._checks import require_pairs

__all__ = ["EntityScores", "entity_scores"]


@dataclass(frozen=True)
class EntityScores:
    """Precision, recall and F1, each from 0 to 1; 0 where there was nothing to divide by."""

    precision: float
    recall: float
    f1: float


def entity_scores(
    labels: Sequence[Iterable[Hashable]], predictions: Sequence[Iterable[Hashable]]
) -> EntityScores:
    """Scores entities: one is right if its type, its start and its end are all right.

    precision = right / predicted, recall = right / labelled, F1 = their harmonic mean

    **Source**: CoNLL-2003's `conlleval`, overall line.

    Args:
        labels: for every sentence its entities, such as `(type, start, stop)`.
        predictions: for every sentence the entities found.

    Returns:
        The scores over all sentences together.

    Raises:
        DataError: the lists differ in length or are empty.

    Example:
        >>> scores = entity_scores([[("PER", 0, 2), ("LOC", 4, 5)]], [[("PER", 0, 2)]])
        >>> scores.precision, scores.recall, round(scores.f1, 4)
        (1.0, 0.5, 0.6667)
    """
    require_pairs(labels, predictions)
    num_right = num_labelled = num_found = 0
    for wanted, found in zip(labels, predictions, strict=True):
        wanted_counts, found_counts = Counter(wanted), Counter(found)
        num_right += (wanted_counts & found_counts).total()
        num_labelled += wanted_counts.total()
        num_found += found_counts.total()
    return EntityScores(
        precision=num_right / max(num_found, 1),
        recall=num_right / max(num_labelled, 1),
        f1=2 * num_right / max(num_found + num_labelled, 1),
    )
