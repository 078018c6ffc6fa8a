"""What every metric asks of its arguments."""

from collections.abc import Sized

from bertsmith.errors import DataError

__all__ = ["require_pairs"]


def require_pairs(labels: Sized, predictions: Sized) -> None:
    """Raises `DataError` unless there is one prediction for each label, and at least one."""
    if len(labels) != len(predictions):
        raise DataError(f"{len(predictions)} predictions for {len(labels)} labels")
    if not len(labels):
        raise DataError("nothing to score", fix="give at least one labelled example")
