"""Words for people."""

__all__ = ["counted"]


def counted(number: int, noun: str) -> str:
    """A number of things in words.

    Args:
        number: how many.
        noun: one of them; the plural is made by rule.

    Example:
        >>> counted(1, "class"), counted(2, "class"), counted(1200, "step")
        ('1 class', '2 classes', '1,200 steps')
    """
    ending = "" if number == 1 else "es" if noun.endswith("s") else "s"
    return f"{number:,} {noun}{ending}"
