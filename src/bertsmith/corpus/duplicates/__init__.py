"""Documents that are nearly the same."""

from bertsmith.corpus.duplicates.groups import NearDuplicates, find_near_duplicates
from bertsmith.corpus.duplicates.shingles import hash_shingles, hash_words
from bertsmith.corpus.duplicates.signatures import NUM_SLOTS, Banding, signatures

__all__ = [
    "NUM_SLOTS",
    "Banding",
    "NearDuplicates",
    "find_near_duplicates",
    "hash_shingles",
    "hash_words",
    "signatures",
]
