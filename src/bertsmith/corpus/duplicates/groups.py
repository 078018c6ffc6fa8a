"""Signatures → which documents are nearly the same as one before them."""

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bertsmith.corpus.duplicates.signatures import Signatures
from bertsmith.corpus.occurrences import Documents, Occurrences, runs

__all__ = ["NearDuplicates", "find_near_duplicates"]

_MAX_COMPARED = 100


@dataclass(frozen=True)
class NearDuplicates:
    """Documents that are nearly the same as an earlier one that stays.

    Attributes:
        documents: their numbers [n], ascending.
        kept: the earlier document that each resembles [n].
        similarities: how much, as the signatures tell [n].
    """

    documents: Documents
    kept: Documents
    similarities: npt.NDArray[np.float64]


def find_near_duplicates(
    bands: Occurrences,
    signatures: Signatures,
    stays: npt.NDArray[np.bool_],
    similarity: float,
) -> NearDuplicates:
    """Finds the documents that resemble an earlier one which is no near-duplicate itself.

    Documents are taken in order. Each is compared with those before it that stay and share a band
    with it; where many share a band, with the first hundred of them.

    Memory: about 2 KB for each document that shares a band with another, and one part of `bands`
    at a time; documents that share none cost nothing more.

    Args:
        bands: which documents have a band's key.
        signatures: the documents' signatures [documents, 128]; may be memory-mapped.
        stays: which documents are looked at [documents].
        similarity: estimated Jaccard similarity from which on documents are nearly the same.
    """
    documents, groups = _shared_bands(bands, stays)
    starts, lengths = runs(documents)
    leaders = defaultdict[int, list[int]](list)
    found = list[tuple[int, int, float]]()
    for start, length in zip(starts.tolist(), lengths.tolist(), strict=True):
        document = int(documents[start])
        shared = groups[start : start + length].tolist()
        before = sorted({leader for group in shared for leader in leaders.get(group, ())})
        if before:
            alike = (signatures[before] == signatures[document]).mean(axis=1)
            first = int(np.argmax(alike >= similarity))
            if alike[first] >= similarity:
                found.append((document, before[first], float(alike[first])))
                continue
        for group in shared:
            if len(leaders[group]) < _MAX_COMPARED:
                leaders[group].append(document)
    return NearDuplicates(
        np.array([document for document, _, _ in found], np.uint32),
        np.array([kept for _, kept, _ in found], np.uint32),
        np.array([alike for _, _, alike in found], np.float64),
    )


def _shared_bands(
    bands: Occurrences, stays: npt.NDArray[np.bool_]
) -> tuple[Documents, npt.NDArray[np.uint32]]:
    """For each document and each band that it shares with others: its number, the band's group."""
    num_groups = 0
    documents, groups = [np.zeros(0, np.uint32)], [np.zeros(0, np.uint32)]
    for keys, members in bands.parts():
        keys, members = keys[stays[members]], members[stays[members]]
        _, lengths = runs(keys)
        shared = lengths[lengths > 1]
        documents.append(members[np.repeat(lengths, lengths) > 1])
        numbers = np.repeat(np.arange(len(shared)), shared) + num_groups
        groups.append(numbers.astype(np.uint32))
        num_groups += len(shared)
    all_documents, all_groups = np.concatenate(documents), np.concatenate(groups)
    order = np.argsort(all_documents, kind="stable")
    return all_documents[order], all_groups[order]
