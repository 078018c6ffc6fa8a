"""What the tokenizer returns: pieces of one text, and whole model inputs."""

from dataclasses import dataclass

from bertsmith.errors import InputError

__all__ = ["Encoding", "Pieces", "truncate_pair"]


@dataclass(frozen=True)
class Pieces:
    """The pieces of one text, without [CLS] and [SEP].

    Attributes:
        ids: token ids.
        offsets: for every piece the stretch of the text that it stands for, (start, end) in
            characters, `text[start:end]`. Starts and ends never decrease; the pieces of one
            character that decomposition made several share that character.
        word_index: for every piece which word of the text it belongs to, counted from 0. Words are
            Google's: punctuation and Chinese characters are words of one character.
    """

    ids: list[int]
    offsets: list[tuple[int, int]]
    word_index: list[int]


@dataclass(frozen=True)
class Encoding:
    """A text or a pair of texts as a model reads it: `[CLS] A [SEP]` or `[CLS] A [SEP] B [SEP]`.

    Attributes:
        input_ids: token ids.
        token_type_ids: 0 up to the first [SEP], 1 after it.
        offsets: for every token its (start, end) in characters of its own text; (0, 0) for [CLS]
            and [SEP].
        tokens: the pieces as strings.
        sequence_index: for every token which text it is of, 0 or 1; None for [CLS] and [SEP].
        word_index: for every token which word of its own text it belongs to; None for [CLS] and
            [SEP].
    """

    input_ids: list[int]
    token_type_ids: list[int]
    offsets: list[tuple[int, int]]
    tokens: list[str]
    sequence_index: list[int | None]
    word_index: list[int | None]

    def __len__(self) -> int:
        return len(self.input_ids)


def truncate_pair(num_first: int, num_second: int | None, max_length: int) -> tuple[int, int]:
    """How many pieces of each text stay, so that all fits with [CLS] and [SEP].

    Pieces go from the end, one at a time, always from the longer text (from the second where both
    are as long).

    **Source**: google-research/bert, `run_classifier.py`, `_truncate_seq_pair`.

    Args:
        num_first: pieces of the first text.
        num_second: pieces of the second text, or None where there is no second one.
        max_length: the longest input allowed, in tokens, [CLS] and [SEP] counted.

    Returns:
        The number of pieces kept of the first and the second text.

    Raises:
        InputError: `max_length` has no room for one piece of each text.

    Example:
        >>> truncate_pair(10, 4, 12), truncate_pair(10, 10, 12), truncate_pair(10, None, 12)
        ((5, 4), (5, 4), (10, 0))
    """
    smallest = 3 if num_second is None else 5
    if max_length < smallest:
        what = f"max_length is {max_length}, which leaves no room for text beside [CLS] and [SEP]"
        raise InputError(what, fix=f"give at least {smallest}")
    if num_second is None:
        return min(num_first, max_length - 2), 0
    room = max_length - 3
    if num_first + num_second > room:
        # The longer text is cut down to the shorter; what is still too much goes from both in turn.
        kept_first = min(num_first, max(room - num_second, (room + 1) // 2))
        return kept_first, room - kept_first
    return num_first, num_second
