"""What a file is that was taken for text, by its first bytes; `packing` knows packed ones."""

__all__ = ["looks_like"]

_STARTS = {
    b"\xff\xfe": ("UTF-16", "convert the file to UTF-8"),
    b"\xfe\xff": ("UTF-16", "convert the file to UTF-8"),
}


def looks_like(start: bytes) -> tuple[str, str] | None:
    r"""What bytes that aren't UTF-8 look like, and what to do about it; None where nobody knows.

    Args:
        start: the first bytes of the file, two or more.

    Example:
        >>> looks_like("caf\xe9".encode("utf-16")), looks_like(b"caf\xe9")
        (('UTF-16', 'convert the file to UTF-8'), None)
    """
    return next((kind for magic, kind in _STARTS.items() if start.startswith(magic)), None)
