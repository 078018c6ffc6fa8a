"""Words → pieces: the greedy longest match of WordPiece."""

from collections.abc import Mapping

from bertsmith.wordpiece.vocabulary import CONTINUATION, Vocabulary

__all__ = ["MAX_WORD_LENGTH", "PieceMatcher"]

MAX_WORD_LENGTH = 200
"""Words of more characters are [UNK] (google-research/bert; Hugging Face's limit is 100)."""

_START = 4


class PieceMatcher:
    """Cuts a word into the longest pieces that the vocabulary holds, from the left.

    **Source**: google-research/bert, `tokenization.py`, `WordpieceTokenizer.tokenize`.

    Args:
        vocabulary: the pieces.

    Example:
        >>> vocabulary = Vocabulary(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "un", "##able"])
        >>> matcher = PieceMatcher(vocabulary)
        >>> matcher.match("unable"), matcher.match("unwell")
        ([(5, 2), (6, 6)], None)
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocab_size = len(vocabulary)
        self._tokens = vocabulary.tokens
        self._initial = vocabulary.ids
        self._continuing = {
            token[len(CONTINUATION) :]: token_id
            for token, token_id in vocabulary.ids.items()
            if token.startswith(CONTINUATION)
        }
        # How long a piece can be is told by its first characters, which saves most of the tries.
        self._longest_initial = _longest_by_start(self._initial)
        self._longest_continuing = _longest_by_start(self._continuing)

    def match(self, word: str, start: int = 0) -> list[tuple[int, int]] | None:
        """Returns (id, end) of every piece, or None where the word has none and is [UNK].

        Args:
            word: a normalised word, as `words_of` returns it.
            start: where to start; what doesn't start at 0 is cut into `##` pieces alone.

        Returns:
            For every piece its token id and the position in the word where it ends.
        """
        ids = self.cut(word, start)
        if ids is None:
            return None
        pieces, end = [], start
        for token_id in ids:
            token = self._tokens[token_id]
            end += len(token) - (len(CONTINUATION) if end else 0)
            pieces.append((token_id, end))
        return pieces

    def cut(self, word: str, start: int = 0) -> list[int] | None:
        """Returns the ids of `match` alone, which is quicker.

        Args:
            word: a normalised word, as `words_of` returns it.
            start: as for `match`.
        """
        length = len(word)
        if length > MAX_WORD_LENGTH:
            return None
        cut: list[int] = []
        ids, longest = self._initial, self._longest_initial
        if start:
            ids, longest = self._continuing, self._longest_continuing
        while start < length:
            end = start + longest.get(word[start : start + _START], _START)
            if end > length:
                end = length
            while (token_id := ids.get(word[start:end])) is None:
                end -= 1
                if end <= start:
                    return None
            cut.append(token_id)
            start = end
            ids, longest = self._continuing, self._longest_continuing
        return cut


def _longest_by_start(pieces: Mapping[str, int]) -> dict[str, int]:
    """The length of the longest piece that begins with each four characters.

    Pieces that are shorter than that are found all the same: the search goes down from four.
    """
    longest: dict[str, int] = {}
    for piece in pieces:
        start = piece[:_START]
        longest[start] = max(longest.get(start, _START), len(piece))
    return longest
