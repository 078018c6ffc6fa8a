"""What to do where nothing is left of a text."""

from collections.abc import Mapping

__all__ = ["fix_for_nothing_left"]


def fix_for_nothing_left(counts: Mapping[str, int]) -> str:
    """Names what was left out, for the message that no text is left.

    Args:
        counts: what was mended or left out, name → number, such as `Corpus.counts`.

    Example:
        >>> fix_for_nothing_left({"short_documents": 1200, "truncated_files": 0})
        'look at what was left out: short documents (1,200)'
        >>> fix_for_nothing_left({})
        'give text with words'
    """
    told = [f"{name.replace('_', ' ')} ({n:,})" for name, n in counts.items() if n]
    return f"look at what was left out: {', '.join(told)}" if told else "give text with words"
