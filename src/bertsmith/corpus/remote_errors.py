"""What goes wrong with files far away, in one line."""

import errno
import re
from collections.abc import Iterator
from json import JSONDecodeError

from fsspec.registry import known_implementations

from bertsmith.errors import CorpusError

__all__ = ["is_final", "missing_package", "remote_error"]

# aiohttp tells "400, message: ..." of answers whose status was another, and "0, message=''".
_AIOHTTP_PREFIX = re.compile(r"\d+, message(?::\s*|=''.*)")
_GONE, _FORBIDDEN = (404, 410), (401, 403)
_EXTRAS = {"http": "'bertsmith[remote]'", "https": "'bertsmith[remote]'"}


def remote_error(error: BaseException, where: str) -> CorpusError:
    """Says in a user's words what a file system's library raised.

    Example:
        >>> print(remote_error(FileNotFoundError("x"), "s3://bucket/a.txt"))
        s3://bucket/a.txt: is not there; check the address
    """
    if isinstance(error, CorpusError):
        return error
    status = _status(error)
    if status in _FORBIDDEN or (status is None and _is_a(error, PermissionError)):
        told = f" (status {status})" if status else ""
        return CorpusError(
            f"may not be read{told}", where=where, fix="check the address and your credentials"
        )
    reasons = [cause for cause in _chain(error) if not isinstance(cause, FileNotFoundError)] or [
        error
    ]
    if status in _GONE or (status is None and isinstance(reasons[-1], FileNotFoundError)):
        return CorpusError("is not there", where=where, fix="check the address")
    reason = f"status {status}" if status else _reason(reasons[-1])
    # What libraries call a wrong value is a name that can't be, unless it came from a server.
    wrong = isinstance(reasons[-1], ValueError) and not isinstance(reasons[-1], JSONDecodeError)
    fix = "check the address" if wrong and not status else "check the network, then run it again"
    return CorpusError(f"cannot be read ({reason})", where=where, fix=fix)


def is_final(error: BaseException) -> bool:
    """Whether trying again can't help."""
    status = _status(error)
    if status is not None:
        return status < 500 and status not in (408, 425, 429)
    return isinstance(
        error, FileNotFoundError | PermissionError | ImportError | ValueError | CorpusError
    )


def missing_package(error: ImportError, protocol: str, where: str) -> CorpusError:
    """Says which package reads addresses of a protocol."""
    known = known_implementations.get(protocol, {})
    package = _EXTRAS.get(protocol) or known.get("class", protocol).partition(".")[0]
    return CorpusError(
        f"{protocol}:// needs a package that is not installed ({_reason(error)})",
        where=where,
        fix=f"pip install {package}",
    )


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error and what it was raised from."""
    current: BaseException | None = error
    for _ in range(10):
        if current is None:
            return
        yield current
        current = current.__cause__ or current.__context__


def _is_a(error: BaseException, kind: type[BaseException]) -> bool:
    return any(isinstance(cause, kind) for cause in _chain(error))


def _status(error: BaseException) -> int | None:
    """The HTTP status that an error of aiohttp, httpx or botocore came with."""
    for cause in _chain(error):
        response = getattr(cause, "response", None)
        metadata = response.get("ResponseMetadata", {}) if isinstance(response, dict) else {}
        for status in (
            getattr(cause, "status", None),
            getattr(response, "status_code", None),
            metadata.get("HTTPStatusCode"),
        ):
            if isinstance(status, int) and status >= 400:
                return status
    return None


def _reason(error: BaseException) -> str:
    if isinstance(error, OSError) and error.errno in errno.errorcode and error.strerror:
        return error.strerror
    text = _AIOHTTP_PREFIX.sub("", " ".join(str(error).split()))
    return text[:200].strip(" .:") or type(error).__name__
