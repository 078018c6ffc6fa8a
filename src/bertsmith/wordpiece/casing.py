"""Which entries of a vocabulary text is meant to give, and which of them have capitals."""

from bertsmith.wordpiece.vocabulary import SPECIAL_TOKENS, Vocabulary

__all__ = ["MANY_CAPITALS", "capitalised_entries", "own_entries"]

MANY_CAPITALS = 0.05
"""A lower-case vocabulary has no capital at all; a cased one in a third of its entries."""


def own_entries(vocabulary: Vocabulary) -> list[int]:
    """The ids of entries that text is meant to give: not special, not in brackets."""
    return [
        token_id
        for token_id, token in enumerate(vocabulary.tokens)
        if token not in SPECIAL_TOKENS and not (token[0] == "[" and token[-1] == "]" != token)
    ]


def capitalised_entries(vocabulary: Vocabulary) -> tuple[list[str], float]:
    """The entries with a capital, and their share of the entries with a letter.

    Example:
        >>> capitalised_entries(Vocabulary([*SPECIAL_TOKENS, "It", "rains", "snows", "##s", "."]))
        (['It'], 0.25)
    """
    tokens = [vocabulary.tokens[entry] for entry in own_entries(vocabulary)]
    capitals = [token for token in tokens if token != token.lower()]
    return capitals, len(capitals) / max(sum(any(map(str.isalpha, token)) for token in tokens), 1)
