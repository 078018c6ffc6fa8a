"""Words for people."""

__all__ = ["counted", "in_yaml"]


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


def in_yaml(value: object) -> str:
    """A setting's value as YAML has it, where Python writes it otherwise.

    Example:
        >>> in_yaml(None), in_yaml(True), in_yaml("adamw")
        ('null', 'true', "'adamw'")
        >>> in_yaml([{"share": 0.9}, {"share": 0.1, "max_seq_length": None}])
        '[{share: 0.9}, {share: 0.1, max_seq_length: null}]'
    """
    if isinstance(value, list):
        return f"[{', '.join(map(in_yaml, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{name}: {in_yaml(item)}' for name, item in value.items())}}}"
    words = {None: "null", True: "true", False: "false"}
    return words[value] if value is None or isinstance(value, bool) else repr(value)
