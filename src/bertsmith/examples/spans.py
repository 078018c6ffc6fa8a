"""The segments of examples, as spans of the store's token axis."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

__all__ = ["ExampleSpans"]


@dataclass(frozen=True)
class ExampleSpans:
    """The text of examples: one or two spans of the store each, already trimmed.

    Attributes:
        a_start: where segment A starts on the store's token axis, int64 [examples].
        a_length: its length in tokens, at least 1, int32 [examples].
        b_start: where segment B starts, int64 [examples].
        b_length: its length, at least 1, or 0 where examples have a single segment, int32
            [examples].
        next_sentence_labels: 0 where B follows A, 1 where B is random or, with
            `pair_labels=order`, where the two are swapped, int8 [examples]; None where examples
            have a single segment.

    Example:
        >>> length, label = np.array([2, 3], np.int32), np.array([0, 1], np.int8)
        >>> spans = ExampleSpans(np.array([0, 9]), length, np.array([2, 40]), length, label)
        >>> both = ExampleSpans.concatenate([spans, spans])
        >>> len(both), both.take(np.array([3])).b_start.tolist()
        (4, [40])
    """

    a_start: NDArray[np.int64]
    a_length: NDArray[np.int32]
    b_start: NDArray[np.int64]
    b_length: NDArray[np.int32]
    next_sentence_labels: NDArray[np.int8] | None

    def __len__(self) -> int:
        """Number of examples."""
        return len(self.a_start)

    def take(self, indices: NDArray[np.int64]) -> Self:
        """Returns the examples at `indices`, in that order."""
        labels = self.next_sentence_labels
        return type(self)(
            self.a_start[indices],
            self.a_length[indices],
            self.b_start[indices],
            self.b_length[indices],
            None if labels is None else labels[indices],
        )

    @classmethod
    def concatenate(cls, parts: Sequence[Self]) -> Self:
        """Lays one or more groups of examples of the same kind end to end."""
        labels = [part.next_sentence_labels for part in parts]
        given = [label for label in labels if label is not None]
        return cls(
            np.concatenate([part.a_start for part in parts]),
            np.concatenate([part.a_length for part in parts]),
            np.concatenate([part.b_start for part in parts]),
            np.concatenate([part.b_length for part in parts]),
            np.concatenate(given) if given else None,
        )
