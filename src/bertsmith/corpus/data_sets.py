"""Data sets of the Hugging Face hub: which files hold a configuration's split."""

import os
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

import yaml
from fsspec.utils import glob_translate

from bertsmith.corpus.compression import strip_compression
from bertsmith.corpus.formats import needs_seeking
from bertsmith.corpus.remote import remote_file
from bertsmith.corpus.remote_errors import remote_error
from bertsmith.corpus.text_file import TextFile, format_of
from bertsmith.errors import CorpusError

__all__ = ["find_data_set"]

_URL = re.compile(r"hf://([^:@#/]+(?:/[^:@#/]+)?)(?::([^@#]+))?(?:@([^#]+))?(?:#(.+))?")
_FORM = "write hf://owner/name[:config][@split]"
_CONVERTED = "refs/convert/parquet"
_SPLIT = re.compile(r"(?:^|[^a-z])(train|validation|valid|val|dev|test)(?![a-z])")
_SPLIT_NAMES = {"valid": "validation", "val": "validation", "dev": "validation"}
_PREFERRED = ("parquet", "jsonl", "txt", "xml")

_Files = dict[str, dict[str, Any]]
_Splits = dict[str, dict[str, _Files]]


class _Wanted(NamedTuple):
    name: str
    config: str | None
    split: str | None
    column: str | None


def find_data_set(url: str, counts: Counter[str]) -> Iterator[TextFile]:
    """Finds the files of a data set: as the hub has converted them to Parquet, or its own.

    Args:
        url: `hf://owner/name[:config][@split][#column]`. Without an owner, as in `hf://imdb`, it
            is the one that the hub knows the old name by. Without a configuration it is the only
            one, or "default"; without a split, "train", or the only one; without a column, the
            one of the settings.
        counts: where to count `partial_splits`, of which the hub has converted the first part
            alone, and no other files can be read.

    Raises:
        CorpusError: there is no such data set, configuration or split, or the hub isn't reached.
    """
    match = _URL.fullmatch(url)
    if match is None:
        raise CorpusError("is no name of a data set", where=url, fix=_FORM)
    wanted = _Wanted(*match.groups())
    try:
        from huggingface_hub import HfFileSystem

        hub = HfFileSystem(endpoint=os.environ.get("HF_ENDPOINT"))
        if "/" not in wanted.name:
            wanted = wanted._replace(name=_with_owner(wanted.name, url))
        hub.info(f"datasets/{wanted.name}")
        files = _chosen(_splits(hub, wanted.name, url, counts), wanted, url)
        for path, info in sorted(files.items()):
            yield remote_file(hub, path, info, wanted.column)
    except CorpusError:
        raise
    except Exception as error:  # the hub's client has errors of several libraries
        failure = remote_error(error, url)
        if failure.what.startswith(("is not there", "may not be read")):
            raise CorpusError(
                "there is no such data set, or it may not be read",
                where=url,
                fix="give owner/name, and log in with `hf auth login` if it is private or gated",
            ) from error
        if failure.fix == "check the address":
            failure = CorpusError(failure.what, where=url, fix=_FORM)
        raise failure from error


def _with_owner(name: str, url: str) -> str:
    """The whole name of a data set from the time when names had no owner.

    The hub redirects such names; its file system's client refuses them.
    """
    from huggingface_hub import HfApi

    found = str(HfApi(endpoint=os.environ.get("HF_ENDPOINT")).dataset_info(name).id)
    if "/" not in found:
        raise CorpusError(
            "names no owner, and the hub doesn't tell it", where=url, fix="write hf://owner/name"
        )
    return found


def _splits(hub: Any, name: str, url: str, counts: Counter[str]) -> _Splits:
    converted, is_partial = _converted(hub, name)
    if converted and not is_partial:
        return converted
    own = {path: info for path, info in _find(hub, f"datasets/{name}").items() if _readable(path)}
    splits = _declared(hub, name, own) or _by_name(own)
    if not splits and is_partial:
        counts["partial_splits"] += 1
    if not splits and not converted:
        raise CorpusError(
            "has no files of Parquet, JSON lines or text",
            where=url,
            fix="export it with the datasets library, and give the files",
        )
    return splits or converted


def _find(hub: Any, root: str) -> _Files:
    try:
        return dict(hub.find(root, detail=True))
    except FileNotFoundError:
        return {}


def _readable(path: str) -> bool:
    name = format_of(path)
    return name is not None and not (strip_compression(path)[1] and needs_seeking(name))


def _converted(hub: Any, name: str) -> tuple[_Splits, bool]:
    """The branch that the hub keeps: `config/split/0000.parquet`; and if any split is partial."""
    splits, is_partial = _Splits(), False
    for path, info in _find(hub, f"datasets/{name}@{_CONVERTED}").items():
        *_, config, split, file = path.split("/")
        if file.endswith(".parquet"):
            is_partial |= split.startswith("partial-")
            split = split.removeprefix("partial-")
            splits.setdefault(config, {}).setdefault(split, {})[path] = info
    return splits, is_partial


def _declared(hub: Any, name: str, own: _Files) -> _Splits:
    """What the data set's README says in its header about the files of each configuration."""
    splits = _Splits()
    for config in _configurations(hub, name):
        config_name = str(config.get("config_name", "default"))
        patterns = config.get("data_files") or f"{config.get('data_dir', '')}/**".lstrip("/")
        for split, pattern in _patterns(patterns):
            fits = re.compile(glob_translate(f"datasets/{name}/{pattern}")).match
            files = {path: info for path, info in own.items() if fits(path)}
            if files:
                splits.setdefault(config_name, {}).setdefault(split, {}).update(files)
    return splits


def _configurations(hub: Any, name: str) -> list[dict[str, Any]]:
    if not hub.exists(f"datasets/{name}/README.md"):
        return []
    header = hub.cat_file(f"datasets/{name}/README.md").decode(errors="replace")
    if not header.startswith("---"):
        return []
    try:
        card = yaml.safe_load(header.split("\n---", 1)[0].removeprefix("---"))
    except yaml.YAMLError:
        return []
    configs = card.get("configs") if isinstance(card, dict) else None
    return [config for config in configs or [] if isinstance(config, dict)]


def _patterns(data_files: object) -> Iterator[tuple[str, str]]:
    """Splits and patterns, of the several ways to write them down."""
    for entry in data_files if isinstance(data_files, list) else [data_files]:
        if isinstance(entry, dict):
            paths = entry.get("path", [])
            for path in paths if isinstance(paths, list) else [paths]:
                yield str(entry.get("split", "train")), str(path)
        else:
            yield "train", str(entry)


def _by_name(own: _Files) -> _Splits:
    """Splits told by the names of files; all of the format that is most likely the data."""
    splits = _Splits()
    formats = {format_of(path) for path in own}
    best = next((each for each in _PREFERRED if each in formats), None)
    for path, info in own.items():
        if format_of(path) == best:
            relative = path.split("/", 3)[3]
            folder = relative.partition("/")[0] if "/" in relative else "default"
            config = "default" if folder == "data" or _SPLIT.search(folder) else folder
            found = _SPLIT.search(relative.lower())
            split = _SPLIT_NAMES.get(found[1], found[1]) if found else "train"
            splits.setdefault(config, {}).setdefault(split, {})[path] = info
    return splits


def _chosen(splits: _Splits, wanted: _Wanted, url: str) -> _Files:
    config = _choice(wanted.config, "default", splits, "configuration", ":", url)
    split = _choice(wanted.split, "train", splits[config], "split", "@", url)
    return splits[config][split]


def _choice(
    wanted: str | None, default: str, known: dict[str, Any], what: str, sign: str, url: str
) -> str:
    names = ", ".join(list(known)[:12]) + (", ..." if len(known) > 12 else "")
    if wanted is not None and wanted not in known:
        problem = f"has no {what} {wanted!r}, only {names}"
        raise CorpusError(problem, where=url, fix=f"name one of them after {sign!r}")
    if wanted is not None or default in known:
        return wanted or default
    if len(known) == 1:
        return next(iter(known))
    raise CorpusError(
        f"has several {what}s: {names}", where=url, fix=f"name one of them after {sign!r}"
    )
