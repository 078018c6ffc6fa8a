"""What a survey notes while it reads, and what it concludes at the end."""

import json
from collections import Counter
from contextlib import ExitStack

import numpy as np
import numpy.typing as npt

from bertsmith.corpus.duplicates import NUM_SLOTS, find_near_duplicates
from bertsmith.corpus.examining import Chunk, Examined, line_texts
from bertsmith.corpus.findings import Dropped, DroppedDocument, Findings, RepeatedLine
from bertsmith.corpus.occurrences import (
    Documents,
    Keys,
    Occurrences,
    notes_file,
    room_for_notes,
    runs,
)
from bertsmith.corpus.refining import Refiner

__all__ = ["Notes"]

_REASONS = ("duplicate_documents", "near_duplicate_documents")
_EXACT, _NEAR = 1, 2
_NUM_EXAMPLES = 20
_EXAMPLE_CHARS = 200


class Notes:
    """Notes about the documents of a corpus.

    Args:
        refiner: what the texts are cleaned with; its settings say what is looked for.
    """

    def __init__(self, refiner: Refiner) -> None:
        self._cleaning = refiner.settings.cleaning
        self._num_documents = 0
        self._texts, self._bands, self._lines = Occurrences(8), Occurrences(64), Occurrences(64)
        self._signatures, self._places = notes_file(), notes_file()
        self._example_lines = _ExampleLines(refiner)

    def add(self, chunk: Chunk, examined: Examined) -> None:
        """Notes what was found out about the chunk that comes next."""
        self._num_documents = chunk.first + len(chunk.documents)
        documents = examined.documents
        if self._cleaning.duplicates != "keep":
            self._texts.add(examined.texts, documents)
            places = (json.dumps([raw.title, raw.where]) for raw in chunk.documents)
            with room_for_notes():
                self._places.write("".join(f"{place}\n" for place in places).encode())
        if self._cleaning.duplicates == "near":
            num_bands = examined.bands.shape[1]
            self._bands.add(examined.bands.reshape(-1), np.repeat(documents, num_bands))
            rows = np.zeros((len(chunk.documents), NUM_SLOTS), np.uint32)
            rows[documents - chunk.first] = examined.signatures
            with room_for_notes():
                self._signatures.write(rows.tobytes())
        if self._cleaning.boilerplate_documents is not None:
            self._lines.add(examined.lines, examined.line_documents)
            self._example_lines.notice(chunk, examined)

    def conclude(self) -> Findings:
        """Decides which documents and which lines are dropped."""
        codes = np.zeros(self._num_documents, np.uint8)
        examples = list[tuple[int, int, float]]()
        if self._cleaning.duplicates != "keep":
            examples += self._drop_exact(codes)
        if self._cleaning.duplicates == "near":
            examples += self._drop_near(codes)
        boilerplate = dict[int, int]()
        if self._cleaning.boilerplate_documents is not None:
            boilerplate = self._count_lines(codes, self._cleaning.boilerplate_documents)
        return Findings(
            Dropped(codes, _REASONS),
            frozenset(boilerplate),
            self._num_documents,
            self._example_lines.commonest(boilerplate),
            self._with_places(sorted(examples)[:_NUM_EXAMPLES], codes),
        )

    def close(self) -> None:
        """Gives the disk's room back."""
        with ExitStack() as stack:
            for notes in (self._texts, self._bands, self._lines, self._signatures, self._places):
                stack.callback(notes.close)

    def _drop_exact(self, codes: npt.NDArray[np.uint8]) -> list[tuple[int, int, float]]:
        examples = list[tuple[int, int, float]]()
        for keys, documents in self._texts.parts():
            starts, lengths = runs(keys)
            first = np.repeat(documents[starts], lengths)
            is_later = documents != first
            codes[documents[is_later]] = _EXACT
            later = np.argsort(documents[is_later])[:_NUM_EXAMPLES]
            examples += [
                (int(documents[is_later][place]), int(first[is_later][place]), 1.0)
                for place in later
            ]
        return examples

    def _drop_near(self, codes: npt.NDArray[np.uint8]) -> list[tuple[int, int, float]]:
        with room_for_notes():
            self._signatures.flush()
            signatures = (
                np.memmap(self._signatures, np.uint32, "r").reshape(-1, NUM_SLOTS)
                if self._num_documents
                else np.zeros((0, NUM_SLOTS), np.uint32)
            )
        near = find_near_duplicates(
            self._bands, signatures, codes == 0, self._cleaning.near_duplicate_similarity
        )
        codes[near.documents] = _NEAR
        columns = (near.documents, near.kept, near.similarities)
        return list(zip(*(column[:_NUM_EXAMPLES].tolist() for column in columns), strict=True))

    def _count_lines(self, codes: npt.NDArray[np.uint8], least: int) -> dict[int, int]:
        """Counts in how many of the documents that stay each line stands, where that is enough."""
        counts = dict[int, int]()
        for keys, documents in self._lines.parts():
            keys = keys[codes[documents] == 0]
            starts, lengths = runs(keys)
            often = lengths >= least
            counts.update(zip(keys[starts[often]].tolist(), lengths[often].tolist(), strict=True))
        return counts

    def _with_places(
        self, examples: list[tuple[int, int, float]], codes: npt.NDArray[np.uint8]
    ) -> tuple[DroppedDocument, ...]:
        wanted = {number for dropped, kept, _ in examples for number in (dropped, kept)}
        places = dict[int, tuple[str, str]]()
        with room_for_notes():
            self._places.seek(0)
            for number, line in enumerate(self._places):
                if number in wanted:
                    title, where = json.loads(line)
                    places[number] = title, where
                if len(places) == len(wanted):
                    break
        return tuple(
            DroppedDocument(
                _REASONS[int(codes[dropped]) - 1], *places[dropped], *places[kept], similarity
            )
            for dropped, kept, similarity in examples
        )


class _ExampleLines:
    """The texts of lines that stand in many documents, as far as a table of 4 MB can tell.

    The first thousand lines that are seen to stand in enough documents are kept: those are the
    commonest. Different lines may share a counter, so that some are kept in vain.

    Args:
        refiner: what the texts are cleaned with.
    """

    _NUM_COUNTERS, _MAX_LINES = 2**20, 1000

    def __init__(self, refiner: Refiner) -> None:
        self._refiner = refiner
        self._counters = np.zeros(self._NUM_COUNTERS, np.uint32)
        self._texts = dict[int, str]()

    def notice(self, chunk: Chunk, examined: Examined) -> None:
        """Counts a chunk's lines, and keeps the texts of those whose count is high by now."""
        cleaning = self._refiner.settings.cleaning
        places = (examined.lines & np.uint64(self._NUM_COUNTERS - 1)).astype(np.int64)
        np.add.at(self._counters, places, 1)
        often = np.flatnonzero(self._counters[places] >= (cleaning.boilerplate_documents or 0))
        wanted: Keys = examined.lines[often]
        documents: Documents = examined.line_documents[often]
        for key, document in zip(wanted.tolist(), documents.tolist(), strict=True):
            if len(self._texts) >= self._MAX_LINES:
                return
            if key in self._texts:
                continue
            plain = self._refiner.plain(chunk.documents[document - chunk.first], Counter())
            lines = line_texts(plain, cleaning.boilerplate_min_bytes) if plain else {}
            self._texts[key] = " ".join(lines.get(key, "").split())[:_EXAMPLE_CHARS]

    def commonest(self, boilerplate: dict[int, int]) -> tuple[RepeatedLine, ...]:
        """The commonest lines whose texts are known.

        Args:
            boilerplate: hash of a line → in how many documents it stands.
        """
        known = [
            RepeatedLine(text, boilerplate[key])
            for key, text in self._texts.items()
            if key in boilerplate
        ]
        known.sort(key=lambda line: (-line.num_documents, line.text))
        return tuple(known[:_NUM_EXAMPLES])
