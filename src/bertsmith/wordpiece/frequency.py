"""Merging what occurs most often."""

import heapq
from collections.abc import Iterator, Mapping

from bertsmith.wordpiece.merging import SymbolPairs
from bertsmith.wordpiece.vocabulary import CONTINUATION

__all__ = ["merges_by_frequency"]


def merges_by_frequency(
    pairs: SymbolPairs, strings: list[str], chinese: Mapping[str, int], min_frequency: int
) -> Iterator[str]:
    """Yields the pieces that merging makes, the most frequent pair first.

    Ties go to the smaller strings. A Chinese character, a word by itself, takes its place among
    the merges by its own count.

    Args:
        pairs: the words.
        strings: the string of every symbol; merged symbols are appended.
        chinese: how often each Chinese character occurs.
        min_frequency: the count at which to stop.
    """
    symbol_of = {string: symbol for symbol, string in enumerate(strings)}
    heap = [(-count, character, "", -1, -1) for character, count in chinese.items()]
    heap += [(-n, strings[a], strings[b], a, b) for (a, b), n in pairs.counts.items()]
    heapq.heapify(heap)
    while heap and -heap[0][0] >= min_frequency:
        negative, first, second, left, right = heapq.heappop(heap)
        if not second:
            yield first
            continue
        # Counts that have fallen are put right here, those that have grown were pushed anew.
        count = pairs.counts.get((left, right), 0)
        if count != -negative:
            if 0 < count < -negative:
                heapq.heappush(heap, (-count, first, second, left, right))
            continue
        # Two ways to the same string, as t+he and th+e, lead to the same symbol.
        string = first + second.removeprefix(CONTINUATION)
        merged = symbol_of.setdefault(string, len(strings))
        if merged == len(strings):
            strings.append(string)
        for a, b in pairs.merge((left, right), merged).grown:
            heapq.heappush(heap, (-pairs.counts[a, b], strings[a], strings[b], a, b))
        yield string
