"""Documents → token ids on disk, memory-mapped."""

from bertsmith.store.chinese import missing_words
from bertsmith.store.manifest import (
    Shard,
    StoreManifest,
    StorePart,
    StoreSummary,
    describe,
    read_manifest,
    unfit_vocabulary,
)
from bertsmith.store.reading import TokenStore
from bertsmith.store.settings import StoreSettings
from bertsmith.store.writing import append_to_store, write_store

__all__ = [
    "Shard",
    "StoreManifest",
    "StorePart",
    "StoreSettings",
    "StoreSummary",
    "TokenStore",
    "append_to_store",
    "describe",
    "missing_words",
    "read_manifest",
    "unfit_vocabulary",
    "write_store",
]
