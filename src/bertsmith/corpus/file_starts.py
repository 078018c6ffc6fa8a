"""What a file is that was taken for text, by its first bytes."""

__all__ = ["looks_like"]

_UNPACK = "unpack it, or give it the extension"
_STARTS = {
    b"\xff\xfe": ("UTF-16", "convert the file to UTF-8"),
    b"\xfe\xff": ("UTF-16", "convert the file to UTF-8"),
    b"\x1f\x8b": ("gzip", f"{_UNPACK} .gz"),
    b"\xfd7zXZ": ("xz", f"{_UNPACK} .xz"),
    b"\x28\xb5\x2f\xfd": ("Zstandard", f"{_UNPACK} .zst"),
    b"BZh": ("bzip2", f"{_UNPACK} .bz2"),
    b"PAR1": ("Parquet", "give it the extension .parquet"),
    b"PK\x03\x04": ("a zip archive", "unpack it"),
    b"%PDF": ("PDF", "take the text out of it first"),
}


def looks_like(start: bytes) -> tuple[str, str] | None:
    r"""What bytes that aren't UTF-8 look like, and what to do about it; None where nobody knows.

    Args:
        start: the first bytes of the file, five or more.

    Example:
        >>> looks_like("caf\xe9".encode("utf-16")), looks_like(b"caf\xe9")
        (('UTF-16', 'convert the file to UTF-8'), None)
    """
    return next((kind for magic, kind in _STARTS.items() if start.startswith(magic)), None)
