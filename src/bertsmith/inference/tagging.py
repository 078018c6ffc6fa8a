"""Windows over the words of a sentence, for one prediction a word."""

from collections.abc import Sequence
from dataclasses import dataclass

from bertsmith.errors import InputError
from bertsmith.inference.windows import Span, max_context_owner, overlapping_spans
from bertsmith.wordpiece import Tokenizer

__all__ = ["TagWindow", "tag_windows", "tag_windows_of_pieces"]


@dataclass(frozen=True)
class TagWindow:
    """One model input, `[CLS] pieces [SEP]`, and the words that it speaks for.

    Attributes:
        input_ids: token ids, [S].
        word_ids: the words whose tag is read here, rising. Over the windows of a sentence, every
            word occurs exactly once.
        first_piece_positions: where in `input_ids` the first piece of each of them stands.
    """

    input_ids: list[int]
    word_ids: list[int]
    first_piece_positions: list[int]

    @property
    def token_type_ids(self) -> list[int]:
        """Segment A throughout, [S]."""
        return [0] * len(self.input_ids)


def tag_windows(words: Sequence[str], tokenizer: Tokenizer, max_seq_length: int) -> list[TagWindow]:
    """Turns the words of a sentence into windows that fit the model.

    The first piece of a word carries its tag. A sentence that is too long is cut into windows
    that overlap by half, and a word belongs to the window that shows most around its first piece.
    A word that the tokenizer drops whole (zero-width characters) counts as `[UNK]`, so that no
    word is without a tag.

    **Source**: section 5.3 of the paper ("the representation of the first sub-token").

    Args:
        words: the sentence's words, at least one.
        tokenizer: cuts the words into pieces.
        max_seq_length: tokens in a window, `[CLS]` and `[SEP]` counted; at least 3.

    Returns:
        The windows from left to right, at least one.

    Raises:
        InputError: there's no word, or no room for one.

    Example:
        >>> from bertsmith.wordpiece import Vocabulary
        >>> tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "ann", "me", "##t", "bob"]
        >>> tokenizer = Tokenizer(Vocabulary(tuple(tokens)))
        >>> for window in tag_windows(["Ann", "met", "Bob"], tokenizer, max_seq_length=5):
        ...     print(window.input_ids, window.word_ids, window.first_piece_positions)
        [2, 5, 6, 7, 3] [0, 1] [1, 2]
        [2, 6, 7, 8, 3] [2] [3]
    """
    pieces = tokenizer.word_pieces(words)
    return tag_windows_of_pieces(pieces, tokenizer, max_seq_length)


def tag_windows_of_pieces(
    word_pieces: Sequence[Sequence[int]], tokenizer: Tokenizer, max_seq_length: int
) -> list[TagWindow]:
    """The same for words that are already cut into piece ids, each into at least one."""
    if not word_pieces:
        raise InputError("holds no word", where="sentence", fix="leave it out")
    flat = [piece for pieces in word_pieces for piece in pieces]
    room = max_seq_length - 2
    spans = overlapping_spans(len(flat), room, max(1, room // 2))
    owners = max_context_owner(spans, len(flat))
    windows = [TagWindow(_enclose(flat, span, tokenizer), [], []) for span in spans]
    first_piece = 0
    for word, pieces in enumerate(word_pieces):
        owner = owners[first_piece]
        windows[owner].word_ids.append(word)
        windows[owner].first_piece_positions.append(1 + first_piece - spans[owner].start)
        first_piece += len(pieces)
    return windows


def _enclose(pieces: list[int], span: Span, tokenizer: Tokenizer) -> list[int]:
    """`[CLS]`, the span's pieces, `[SEP]`."""
    vocabulary = tokenizer.vocabulary
    return [vocabulary.cls_id, *pieces[span.start : span.stop], vocabulary.sep_id]
