"""What of a run's log comes again when the run goes on from an earlier checkpoint."""

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["keeps_lost_model", "without_lost"]

Record = Mapping[str, Any]

# The kind of a record: the model in the folder is of an update that the log no longer has.
_FORGOTTEN = "forgotten_model"


def keeps_lost_model(records: Sequence[Record], step: int, *, evaluates_again: bool) -> bool:
    """Whether the model in the run's folder is of what is done again.

    That may have been found out by a sitting before, which was killed before it kept another.

    Args:
        records: of the log, oldest first.
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
        if record["kind"] == _FORGOTTEN:
            is_lost = True
        elif record.get("is_kept", False):
            is_lost = _comes_again(record, step, evaluates_again)
    return is_lost


def without_lost(records: Sequence[Record], step: int, *, evaluates_again: bool) -> list[Record]:
    """The records of what isn't done again, and one that says so where the model is lost.

    Args:
        records: of the log, oldest first.
        step: the last that isn't done again.
        evaluates_again: whether the run begins with the evaluation of that step.
    """
    kept = [
        record
        for record in records
        if not _comes_again(record, step, evaluates_again) and record["kind"] != _FORGOTTEN
    ]
    if keeps_lost_model(records, step, evaluates_again=evaluates_again):
        kept.append({"kind": _FORGOTTEN, "step": max(step, 0)})
    return kept


def _comes_again(record: Record, step: int, evaluates_again: bool) -> bool:
    is_of_step = record["step"] == step and record["kind"] == "evaluation"
    return record["step"] > step or (evaluates_again and is_of_step)
