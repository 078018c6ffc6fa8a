"""What of a run's log comes again when the run goes on from an earlier checkpoint."""

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["comes_again", "keeps_lost_model", "without_lost"]

Record = Mapping[str, Any]


def comes_again(of: int, step: int, *, evaluates_again: bool) -> bool:
    """Whether the evaluation after an update is made again.

    Args:
        of: the update.
        step: the last that isn't done again.
        evaluates_again: whether the run begins with the evaluation of that step.
    """
    return of > step or (evaluates_again and of == step)


def keeps_lost_model(records: Sequence[Record], step: int, *, evaluates_again: bool) -> bool:
    """Whether the log says that the model in the run's folder is of what is done again.

    Args:
        records: of the log, oldest first; "forgotten_model" is what older versions noted.
        step: the last that isn't done again.
        evaluates_again: whether the run begins with the evaluation of that step.

    Example:
        >>> log = [{"kind": "evaluation", "step": step, "is_kept": True} for step in (4, 8)]
        >>> keeps_lost_model(log, 8, evaluates_again=False)
        False
        >>> keeps_lost_model(log, 6, evaluates_again=False)
        True
    """
    is_lost = False
    for record in records:
        if record["kind"] == "forgotten_model":
            is_lost = True
        elif record.get("is_kept", False):
            is_lost = comes_again(record["step"], step, evaluates_again=evaluates_again)
    return is_lost


def without_lost(records: Sequence[Record], step: int, *, evaluates_again: bool) -> list[Record]:
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

    def is_lost(record: Record) -> bool:
        if record["kind"] in ("end", "forgotten_model"):
            return True
        again = evaluates_again and record["kind"] == "evaluation"
        return comes_again(record["step"], step, evaluates_again=again)

    return [record for record in records if not is_lost(record)]
