"""Words → pieces: the greedy longest match of WordPiece."""

from bertsmith.wordpiece.vocabulary import CONTINUATION, Vocabulary

__all__ = ["MAX_WORD_LENGTH", "PieceMatcher"]

MAX_WORD_LENGTH = 200
"""Words of more characters are [UNK] (google-research/bert; Hugging Face's limit is 100)."""


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
        self._initial = vocabulary.ids
        self._continuing = {
            token[len(CONTINUATION) :]: token_id
            for token, token_id in vocabulary.ids.items()
            if token.startswith(CONTINUATION)
        }
        self._longest_initial = max(map(len, self._initial))
        self._longest_continuing = max(map(len, self._continuing), default=0)

    def match(self, word: str) -> list[tuple[int, int]] | None:
        """Returns (id, end) of every piece, or None where the word has none and is [UNK].

        Args:
            word: a normalised word, as `words_of` returns it.

        Returns:
            For every piece its token id and the position in the word where it ends.
        """
        length = len(word)
        if length > MAX_WORD_LENGTH:
            return None
        pieces: list[tuple[int, int]] = []
        start = 0
        ids, longest = self._initial, self._longest_initial
        while start < length:
            end = min(length, start + longest)
            while (token_id := ids.get(word[start:end])) is None:
                end -= 1
                if end <= start:
                    return None
            pieces.append((token_id, end))
            start = end
            ids, longest = self._continuing, self._longest_continuing
        return pieces
