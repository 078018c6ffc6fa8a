"""What of a run's log comes again when the run goes on from an earlier checkpoint."""

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["comes_again", "without_lost"]


def comes_again(of: int, step: int, *, evaluates_again: bool) -> bool:
    """Whether the evaluation after an update is made again.

    Args:
        of: the update.
        step: the last that isn't done again.
        evaluates_again: whether the run begins with the evaluation of that step.
    """
    return of > step or (evaluates_again and of == step)


def without_lost(
    records: Sequence[Mapping[str, Any]], step: int, *, evaluates_again: bool
) -> list[Mapping[str, Any]]:
    """The records of what isn't done again.

    Args:
        records: of the log, oldest first.
        step: the last that isn't done again.
        evaluates_again: whether the run begins with the evaluation of that step.

    Example:
        >>> log = [{"kind": "train", "step": step} for step in (4, 8)]
        >>> log.append({"kind": "end", "step": 8})
        >>> without_lost(log, 4, evaluates_again=False)
        [{'kind': 'train', 'step': 4}]
        >>> without_lost(log, 8, evaluates_again=False)  # it comes to its end once more
        [{'kind': 'train', 'step': 4}, {'kind': 'train', 'step': 8}]
    """
    evaluated = {"evaluation": evaluates_again, "end": True}
    return [
        record
        for record in records
        if not comes_again(
            record["step"], step, evaluates_again=evaluated.get(record["kind"], False)
        )
    ]
