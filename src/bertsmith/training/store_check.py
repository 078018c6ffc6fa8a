"""Whether a store is the one that a run was started on, and whole."""

import hashlib
import json
from pathlib import Path
from typing import Any

from bertsmith._files import atomic_file
from bertsmith.errors import StoreError
from bertsmith.store import TokenStore
from bertsmith.training.distributed import Ranks

__all__ = ["shard_hashes", "store_identity", "verify_all_copies", "verify_store"]


def store_identity(store: TokenStore) -> dict[str, Any]:
    """What must be the same for a run to go on; plain values that a person can compare."""
    manifest = store.manifest
    shards = " ".join(shard.sha256 for shard in manifest.shards)
    return {
        "num_documents": manifest.num_documents,
        "num_tokens": manifest.num_tokens,
        "vocabulary": manifest.vocabulary_sha256,
        "lowercase": manifest.lowercase,
        "shards": hashlib.sha256(shards.encode()).hexdigest(),
    }


def shard_hashes(store: TokenStore) -> dict[str, str]:
    """What the manifest says about each shard, by its file's name."""
    return {shard.name: shard.sha256 for shard in store.manifest.shards}


def verify_all_copies(store: TokenStore, stamps_path: Path, ranks: Ranks) -> None:
    """`verify_store` on the first rank, and by one rank for each copy that other machines read.

    Two ranks read the same copy if its files have the same numbers in the file system, so that one
    that all machines share is read by the first rank alone.

    Raises:
        StoreError: a file isn't what the manifest says; it is named, on all ranks.
    """
    ranks.on_first(lambda: verify_store(store, stamps_path))
    if ranks.world_size == 1:
        return
    stamps = hashlib.sha256(json.dumps(_stamps(store)).encode()).hexdigest()
    error = None
    if ranks.gather(stamps).index(stamps) == ranks.rank and not ranks.is_first:
        try:
            store.verify()
        except StoreError as found:
            error = found
    for rank, failure in enumerate(ranks.gather(error)):
        if failure is not None:
            raise StoreError(f"rank {rank}: {failure}")


def verify_store(store: TokenStore, stamps_path: Path) -> None:
    """Compares the store's files with its manifest, unless they are untouched since that was done.

    Reading a whole store takes a second a gigabyte or so. So it is done when a run starts, and
    when it goes on only if a file was written since, or the store stands elsewhere.

    Args:
        store: what the run reads.
        stamps_path: where the files' sizes, times and numbers are kept.

    Raises:
        StoreError: a file isn't what the manifest says; it is named.
    """
    stamps = _stamps(store)
    if _read(stamps_path) == stamps:
        return
    store.verify()
    with atomic_file(stamps_path) as temporary:
        temporary.write_text(json.dumps(stamps) + "\n", encoding="utf-8")


def _stamps(store: TokenStore) -> dict[str, Any]:
    """Where each shard is, its hash by the manifest, and what the file system says of it."""
    stamps: dict[str, Any] = {"folder": str(store.folder.resolve())}
    for shard in store.manifest.shards:
        found = (store.folder / shard.name).stat()
        stamps[shard.name] = [shard.sha256, found.st_size, found.st_mtime_ns, found.st_ino]
    return stamps


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
