"""Files on web servers and object stores, found through fsspec."""

import glob
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any
from urllib.parse import unquote, urlsplit

import fsspec

from bertsmith.corpus.remote_errors import missing_package, remote_error
from bertsmith.corpus.remote_stream import open_remote
from bertsmith.corpus.text_file import TextFile, format_of, known_extensions, required_format
from bertsmith.errors import CorpusError

__all__ = ["find_remote", "remote_file"]

_WEB = ("http", "https")
_IDLE_SECONDS = 60
# What servers call the thing that changes when a file changes.
_VERSION_KEYS = "ETag etag blob_id md5Hash Last-Modified LastModified mtime updated created"


def find_remote(url: str, counts: Counter[str]) -> Iterator[TextFile]:
    """Finds the files at an address: one file, a folder or a glob.

    Args:
        url: `scheme://...`; a folder or a glob needs a server that lists its files.
        counts: where to count files of other extensions in folders ("files_ignored").

    Raises:
        CorpusError: nothing is there, it can't be reached or read, or isn't text; or a package
            is missing.
    """
    protocol = url.partition("://")[0].lower()
    try:
        filesystem, path = fsspec.core.url_to_fs(url, **_options(protocol))
        if _is_glob(url, protocol):
            yield from _matches(filesystem, path, url, protocol, counts)
        elif protocol in _WEB and format_of(_name(url, protocol)):
            yield remote_file(filesystem, path, filesystem.info(path))
        else:
            info = _info(filesystem, path, protocol)
            yield from _expand(filesystem, path, info, protocol, counts)
    except ImportError as error:
        raise missing_package(error, protocol, url) from error
    except CorpusError:
        raise
    except Exception as error:  # each backend has errors of its own
        if "Protocol not known" in str(error):
            raise CorpusError(
                f"{protocol}:// is no kind of address that is known",
                where=url,
                fix="give a path, https://, s3://, gs://, hf:// or another scheme of fsspec",
            ) from error
        raise remote_error(error, url) from error


def remote_file(
    filesystem: Any, path: str, info: dict[str, Any], text_column: str | None = None
) -> TextFile:
    """One file of a file system.

    Args:
        filesystem: fsspec's file system.
        path: the file, as it names it.
        info: what it says about the file.
        text_column: the column that holds the text, if the file has its own.

    Raises:
        CorpusError: its name isn't that of a text file.
    """
    url = _url(filesystem, path)
    protocol = url.partition("://")[0]
    name, compression = required_format(_name(url, protocol), url)
    size = info.get("size")
    version = next((str(info[key]) for key in _VERSION_KEYS.split() if info.get(key)), "")
    return TextFile(
        path=url,
        format=name,
        compression=compression,
        num_bytes=size or 0,
        size_is_known=size is not None,
        version=version,
        text_column=text_column,
        open_remote=partial(open_remote, filesystem, path, url, size),
    )


def _options(protocol: str) -> dict[str, Any]:
    """A long file may take hours to read: only silence is cut off, not the whole."""
    if protocol == "hf":
        return {"endpoint": os.environ.get("HF_ENDPOINT")}
    if protocol not in _WEB:
        return {}
    import aiohttp

    timeout = aiohttp.ClientTimeout(total=None, sock_connect=_IDLE_SECONDS, sock_read=_IDLE_SECONDS)
    return {"client_kwargs": {"timeout": timeout, "trust_env": True}}


def _is_glob(url: str, protocol: str) -> bool:
    """On the web, a question mark starts a query, and a host may stand in brackets."""
    if protocol in _WEB:
        return any(sign in urlsplit(url).path for sign in "*[")
    return glob.has_magic(url)


def _name(url: str, protocol: str) -> str:
    return unquote(urlsplit(url).path) if protocol in _WEB else url


def _url(filesystem: Any, path: str) -> str:
    return str(filesystem.unstrip_protocol(path))


def _info(filesystem: Any, path: str, protocol: str) -> dict[str, Any]:
    """On the web everything is a file at first; a page that links to text files is a folder."""
    info = dict(filesystem.info(path))
    return {**info, "type": "directory"} if protocol in _WEB else info


def _matches(
    filesystem: Any, path: str, url: str, protocol: str, counts: Counter[str]
) -> Iterator[TextFile]:
    found = filesystem.glob(path, detail=True)
    matches = {match: found[match] for match in _without_hidden(found, path)}
    if not matches:
        raise CorpusError("no file matches", where=url, fix="check the pattern")
    for match, info in sorted(matches.items()):
        yield from _expand(filesystem, match, info, protocol, counts)


def _without_hidden(matches: Iterable[str], pattern: str) -> Iterator[str]:
    """Of the matches of a glob those that the shell would find: hidden ones only if it says so."""
    fixed = re.split(r"[*?[]", pattern, maxsplit=1)[0].rpartition("/")[0]
    if "/." in pattern.removeprefix(fixed):
        yield from matches
        return
    for match in matches:
        if "/." not in match.removeprefix(fixed):
            yield match


def _expand(
    filesystem: Any, path: str, info: dict[str, Any], protocol: str, counts: Counter[str]
) -> Iterator[TextFile]:
    """A file by itself, or the files in a folder and the folders in it, sorted by name."""
    if info["type"] != "directory":
        yield remote_file(filesystem, path, _with_size(filesystem, path, info))
        return
    found = False
    for name, below in sorted(filesystem.find(path, detail=True).items()):
        relative = name.removeprefix(path).split("/")
        if any(part.startswith(".") for part in relative):
            continue
        if format_of(_name(_url(filesystem, name), protocol)) is None:
            counts["files_ignored"] += 1
        else:
            found = True
            yield remote_file(filesystem, name, _with_size(filesystem, name, below))
    if not found:
        raise CorpusError(
            "has no text in it",
            where=_url(filesystem, path),
            fix=f"put in {known_extensions()}",
        )


def _with_size(filesystem: Any, path: str, info: dict[str, Any]) -> dict[str, Any]:
    """Listings of web servers don't tell sizes."""
    return info if info.get("size") is not None else dict(filesystem.info(path))
