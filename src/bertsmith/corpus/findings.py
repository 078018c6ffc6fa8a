"""What a survey of a corpus found: which documents and lines are dropped, with examples."""

import hashlib
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bertsmith._files import atomic_file
from bertsmith.errors import CorpusError

__all__ = ["Dropped", "DroppedDocument", "Findings", "RepeatedLine"]

_FORMAT = b"bertsmith findings 1\n"


class Dropped(Mapping[int, str]):
    """Numbers of documents → why they are dropped; one byte for each document of the corpus.

    Args:
        codes: for each document 0 if it stays, otherwise 1 + the index of the reason.
        reasons: the reasons.

    Example:
        >>> dropped = Dropped(np.array([0, 0, 1], np.uint8), ("duplicate_documents",))
        >>> dropped.get(0), dropped.get(2), len(dropped), list(dropped)
        (None, 'duplicate_documents', 1, [2])
    """

    def __init__(self, codes: npt.NDArray[np.uint8], reasons: tuple[str, ...]) -> None:
        self._codes, self.reasons = codes.tobytes(), reasons

    @property
    def codes(self) -> npt.NDArray[np.uint8]:
        """As given."""
        return np.frombuffer(self._codes, np.uint8)

    def __getitem__(self, number: int) -> str:
        code = self._codes[number] if 0 <= number < len(self._codes) else 0
        if not code:
            raise KeyError(number)
        return self.reasons[code - 1]

    # Mapping.get would raise and catch an error for every document that stays.
    def get(self, number: int, default: Any = None) -> Any:
        """The reason, or `default` if the document stays."""
        code = self._codes[number] if 0 <= number < len(self._codes) else 0
        return self.reasons[code - 1] if code else default

    def __len__(self) -> int:
        return len(self._codes) - self._codes.count(0)

    def __iter__(self) -> Iterator[int]:
        return iter(np.flatnonzero(self.codes).tolist())

    def __repr__(self) -> str:
        return f"<{len(self):,} of {len(self._codes):,} documents dropped>"


@dataclass(frozen=True)
class RepeatedLine:
    """A line that is dropped because it stands in many documents.

    Attributes:
        text: the line, its first 200 characters.
        num_documents: in how many documents it stands, duplicates that are dropped not counted.
    """

    text: str
    num_documents: int


@dataclass(frozen=True)
class DroppedDocument:
    """A document that is dropped for another one.

    Attributes:
        reason: under what it is counted.
        title: its name, or "".
        where: its file and line.
        kept_title: the name of the document that stays in its place.
        kept_where: that document's file and line.
        similarity: Jaccard similarity of the two, as estimated; 1 for the same text.
    """

    reason: str
    title: str
    where: str
    kept_title: str
    kept_where: str
    similarity: float


@dataclass(frozen=True)
class Findings:
    """What a survey found.

    Attributes:
        dropped: number of a document in reading order → why it is dropped, which is also the name
            under which it is counted: `duplicate_documents` or `near_duplicate_documents`.
        boilerplate: hashes of the lines that are dropped.
        num_documents: how many documents were read.
        repeated_lines: examples of boilerplate, the commonest first.
        dropped_documents: examples of dropped documents, in reading order.

    Example:
        >>> findings = Findings(repeated_lines=(RepeatedLine("Share this page!", 40),))
        >>> findings.describe()
        ['in 40 documents: Share this page!']
    """

    dropped: Mapping[int, str] = field(default_factory=dict)
    boilerplate: frozenset[int] = frozenset()
    num_documents: int = 0
    repeated_lines: tuple[RepeatedLine, ...] = ()
    dropped_documents: tuple[DroppedDocument, ...] = ()

    def describe(self, num_examples: int = 10) -> list[str]:
        """Tells the examples in lines for people.

        Args:
            num_examples: of lines, and of documents, at most so many.
        """
        lines = [
            f"in {line.num_documents:,} documents: {line.text}"
            for line in self.repeated_lines[:num_examples]
        ]
        for document in self.dropped_documents[:num_examples]:
            alike = f" ({document.similarity:.0%} alike)" if document.similarity < 1 else ""
            lines.append(
                f"{_name(document.title, document.where)} is dropped for "
                f"{_name(document.kept_title, document.kept_where)}{alike}"
            )
        return lines

    def save(self, path: Path) -> None:
        """Writes the findings to a file, whole or not at all."""
        content = _to_bytes(self)
        with atomic_file(path) as temporary:
            temporary.write_bytes(_FORMAT + hashlib.sha256(content).digest() + content)

    @classmethod
    def load(cls, path: Path) -> "Findings":
        """Reads what `save` wrote.

        Raises:
            CorpusError: the file cannot be read, is damaged, or of another version.
        """
        try:
            data = path.read_bytes()
        except OSError as error:
            raise CorpusError(
                f"cannot be read ({error.strerror or error})", where=path, fix="check the path"
            ) from error
        digest_at, content_at = len(_FORMAT), len(_FORMAT) + hashlib.sha256().digest_size
        content = data[content_at:]
        is_whole = hashlib.sha256(content).digest() == data[digest_at:content_at]
        if not data.startswith(_FORMAT) or not is_whole:
            raise CorpusError(
                "is damaged, or was written by another version",
                where=path,
                fix="delete it, and the corpus is surveyed anew",
            )
        return _from_bytes(content)


def _name(title: str, where: str) -> str:
    return f"{title!r} ({where})" if title else where


def _to_bytes(findings: Findings) -> bytes:
    dropped = findings.dropped
    if not isinstance(dropped, Dropped):
        reasons = tuple(sorted(set(dropped.values())))
        codes = np.zeros(max(dropped, default=-1) + 1, np.uint8)
        for number, reason in dropped.items():
            codes[number] = 1 + reasons.index(reason)
        dropped = Dropped(codes, reasons)
    told = {
        "num_documents": findings.num_documents,
        "reasons": dropped.reasons,
        "repeated_lines": [asdict(line) for line in findings.repeated_lines],
        "dropped_documents": [asdict(document) for document in findings.dropped_documents],
    }
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        codes=dropped.codes,
        boilerplate=np.array(sorted(findings.boilerplate), np.uint64),
        told=np.frombuffer(json.dumps(told).encode(), np.uint8),
    )
    return buffer.getvalue()


def _from_bytes(content: bytes) -> Findings:
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        told = json.loads(arrays["told"].tobytes())
        return Findings(
            Dropped(arrays["codes"], tuple(told["reasons"])),
            frozenset(arrays["boilerplate"].tolist()),
            told["num_documents"],
            tuple(RepeatedLine(**line) for line in told["repeated_lines"]),
            tuple(DroppedDocument(**document) for document in told["dropped_documents"]),
        )
