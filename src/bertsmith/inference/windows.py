"""Cutting a long token sequence into overlapping windows, and whose word counts where."""

import math
from dataclasses import dataclass

from bertsmith.errors import InputError

__all__ = ["Span", "max_context_owner", "overlapping_spans"]


@dataclass(frozen=True)
class Span:
    """Tokens `start` up to, not including, `start + length`."""

    start: int
    length: int

    @property
    def stop(self) -> int:
        """One past the last token."""
        return self.start + self.length


def overlapping_spans(num_tokens: int, length: int, stride: int) -> list[Span]:
    """Covers `num_tokens` tokens with windows of at most `length`, one every `stride` tokens.

    **Source**: google-research/bert `run_squad.py`, `convert_examples_to_features`: a window that
    is shorter than the stride moves by its own length, so that no token is skipped.

    Args:
        num_tokens: how many tokens there are, at least 1.
        length: tokens a window can hold, at least 1.
        stride: tokens between the starts of two windows, at least 1.

    Returns:
        The windows from left to right; the last one ends at the last token.

    Raises:
        InputError: `length` or `stride` is below 1.

    Example:
        >>> [(span.start, span.stop) for span in overlapping_spans(10, 5, 3)]
        [(0, 5), (3, 8), (6, 10)]
    """
    if length < 1:
        raise InputError("leaves no room for a token", where="max_seq_length", fix="raise it")
    if stride < 1:
        raise InputError(f"is {stride}", where="stride", fix="give at least 1")
    step = min(length, stride)
    num_spans = 1 + max(0, math.ceil((num_tokens - length) / step))
    starts = range(0, num_spans * step, step)
    return [Span(start, min(length, num_tokens - start)) for start in starts]


def max_context_owner(spans: list[Span], num_tokens: int) -> list[int]:
    """For every token, the window that shows most of what stands around it.

    score(token, span) = min(tokens to its left, tokens to its right) + 0.01 · length of the span

    The span with the highest score owns the token; the first one on a tie.

    **Source**: google-research/bert `run_squad.py`, `_check_is_max_context`.

    Args:
        spans: windows that together cover all tokens.
        num_tokens: how many tokens there are.

    Returns:
        The index in `spans` of each token's owner, [num_tokens].

    Example:
        >>> max_context_owner(overlapping_spans(10, 5, 3), 10)
        [0, 0, 0, 0, 1, 1, 1, 2, 2, 2]
    """
    owners = [0] * num_tokens
    best_scores = [-1.0] * num_tokens
    for index, span in enumerate(spans):
        for token in range(span.start, span.stop):
            score = min(token - span.start, span.stop - 1 - token) + 0.01 * span.length
            if score > best_scores[token]:
                owners[token], best_scores[token] = index, score
    return owners
