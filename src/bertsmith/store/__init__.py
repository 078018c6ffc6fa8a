"""Documents → token ids on disk, memory-mapped."""

from bertsmith.store.manifest import Shard, StoreManifest, StoreSummary, describe
from bertsmith.store.reading import TokenStore
from bertsmith.store.settings import StoreSettings
from bertsmith.store.writing import write_store

__all__ = [
    "Shard",
    "StoreManifest",
    "StoreSettings",
    "StoreSummary",
    "TokenStore",
    "describe",
    "write_store",
]
