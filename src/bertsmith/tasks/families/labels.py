"""Labels as names and as ids."""

from collections.abc import Iterable, Sequence
from typing import TypeVar

from bertsmith.errors import DataError

__all__ = ["UnlabelledError", "label_id", "label_ids", "labels_given", "sorted_labels"]

LabelT = TypeVar("LabelT")


class UnlabelledError(DataError):
    """Examples without labels, as of a benchmark's test set, are to be scored."""


def label_id(label: str, ids: dict[str, int], where: str) -> int:
    """The id of a label.

    Raises:
        DataError: it is not in the label set; the message names file, line, label and the set.
    """
    if label not in ids:
        names = ", ".join(list(ids)[:12]) + (", …" if len(ids) > 12 else "")
        raise DataError(
            f"label {label!r} is not one of {names}",
            where=where,
            fix="correct the label, or add it to the training data",
        )
    return ids[label]


def label_ids(labels: Iterable[tuple[str | None, str]], names: Sequence[str]) -> list[int | None]:
    """The ids of labels given as (label, where), None for None; see `label_id`.

    Example:
        >>> label_ids([("yes", "a.tsv:1"), (None, "a.tsv:2")], ["no", "yes"])
        [1, None]
    """
    ids = {name: index for index, name in enumerate(names)}
    return [None if label is None else label_id(label, ids, where) for label, where in labels]


def labels_given(labels: Iterable[tuple[LabelT | None, str]]) -> list[LabelT]:
    """The labels of (label, where) pairs.

    Raises:
        UnlabelledError: one is None.
    """
    given = []
    for label, where in labels:
        if label is None:
            what = "has no label to score against"
            raise UnlabelledError(what, where=where, fix="give labelled data")
        given.append(label)
    return given


def sorted_labels(labels: Iterable[str | None]) -> tuple[str, ...]:
    """The different labels, by number if all are whole numbers, else by name.

    Example:
        >>> sorted_labels(["10", "9", "9", None]), sorted_labels(["b", "a", "10"])
        (('9', '10'), ('10', 'a', 'b'))
    """
    names = {label for label in labels if label is not None}
    if all(name.removeprefix("-").isdecimal() for name in names):
        return tuple(sorted(names, key=lambda name: (int(name), name)))
    return tuple(sorted(names))
