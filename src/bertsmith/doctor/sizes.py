"""How large a vocabulary a text can fill."""

__all__ = ["WORDS_AN_ENTRY", "fitting_size"]

WORDS_AN_ENTRY = 200
"""Words for an entry of a vocabulary, so that rare ones are met often enough to be learned."""

# A multiple of 64, which GPUs like; the largest is the size of Google's, made one.
_BLOCK, _SMALLEST, _LARGEST = 64, 1_024, 30_528
# `bertsmith vocab` needs room for its special tokens and two places for each letter, of which it
# takes no more than so many.
_SPECIAL, _MOST_LETTERS = 5, 1_000


def fitting_size(num_words: float, num_letters: int = 0) -> int:
    """The size of a vocabulary for a text; every command that the doctor names takes it from here.

    Args:
        num_words: words of the whole text, by white space; a Chinese character is one.
        num_letters: different characters of the text, Chinese ones not counted: each needs a
            place at a word's start and one inside.

    Example:
        >>> [fitting_size(words) for words in (1_000, 656_670, 10**9)]
        [1024, 3264, 30528]
        >>> fitting_size(1_000, num_letters=900)
        1856
    """
    needed = -(-(_SPECIAL + 2 * min(num_letters, _MOST_LETTERS)) // _BLOCK) * _BLOCK
    wanted = int(num_words / WORDS_AN_ENTRY) // _BLOCK * _BLOCK
    return max(needed, min(max(wanted, _SMALLEST), _LARGEST))
