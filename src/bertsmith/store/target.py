"""Where a store may be put: nothing that isn't a store of ours is ever replaced."""

import os
from pathlib import Path

from bertsmith._files import is_store
from bertsmith.errors import StoreError
from bertsmith.store.manifest import MANIFEST_NAME, VOCABULARY_NAME

__all__ = ["check_target", "real_folder"]


def real_folder(folder: Path) -> Path:
    """The place of a folder that may be named by a link, which then stays one."""
    return Path(os.path.realpath(folder))


def check_target(folder: Path, overwrite: bool) -> None:
    """Refuses a folder that can't become a store, or holds what would be lost.

    Args:
        folder: where the store is to stand.
        overwrite: whether a store that stands there may be replaced.

    Raises:
        StoreError: it is a file, in use, in another store, or holds something else.
    """
    for above in real_folder(folder).parents:
        if is_store(above):
            what = f"is in the token store {above}, and would go with it"
            raise StoreError(what, where=folder, fix="name another folder")
    if not folder.exists():
        return
    if not folder.is_dir():
        raise StoreError("is a file", where=folder, fix="name a folder for the store")
    # At the end the folder is renamed, which these cannot be.
    if folder.samefile(Path.cwd()):
        raise StoreError("is the folder you are in", where=folder, fix="name a folder in it")
    if real_folder(folder).is_mount():
        raise StoreError("is where a disk is mounted", where=folder, fix="name a folder in it")
    if (folder / MANIFEST_NAME).exists():
        if not overwrite:
            what = "holds a token store already"
            fix = "give --overwrite to replace it, --append to add to it, or name another folder"
            raise StoreError(what, where=folder, fix=fix)
        if others := [path.name for path in folder.iterdir() if not _is_of_a_store(path)]:
            what = f"holds {min(others)!r} beside a token store, which would go with it"
            raise StoreError(what, where=folder, fix="move it away, or name another folder")
    elif any(folder.iterdir()):
        what = "holds files that are no token store, which stay"
        raise StoreError(what, where=folder, fix="name another folder")


def _is_of_a_store(path: Path) -> bool:
    """Whether a store has such a file; hidden ones are what killed runs and file managers leave."""
    names = (MANIFEST_NAME, VOCABULARY_NAME)
    is_ours = path.name in names or path.match("shard-*.arrow") or path.name.startswith(".")
    return is_ours and path.is_file()
