"""What the demo trains on: documents, and labelled sentences from other documents."""

import csv
import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bertsmith._files import atomic_file
from bertsmith.corpus import RawDocument, split
from bertsmith.demo.gather import Docstring
from bertsmith.errors import CorpusError

__all__ = [
    "SentenceSets",
    "make_sentence_sets",
    "split_off_labelled",
    "write_corpus",
    "write_sentence_sets",
]

_MIN_WORDS, _MAX_WORDS = 6, 40
_SENTENCES_OF_A_DOCUMENT = 3


@dataclass(frozen=True)
class SentenceSets:
    """The classification task: sentences and the package that they document.

    Attributes:
        packages: the labels.
        train: (sentence, package) pairs to fine-tune on.
        test: (sentence, package) pairs to score on; no document gives to both.
    """

    packages: list[str]
    train: list[tuple[str, str]]
    test: list[tuple[str, str]]


def split_off_labelled(
    docstrings: Sequence[Docstring], share: float
) -> tuple[list[Docstring], list[Docstring]]:
    """Splits documents by a hash of their name: (for pre-training, for labelled sentences)."""
    labelled = [doc for doc in docstrings if _unit_hash(doc.name) < share]
    return [doc for doc in docstrings if _unit_hash(doc.name) >= share], labelled


def make_sentence_sets(
    docstrings: Iterable[Docstring], *, num_packages: int, train_each: int, test_each: int
) -> SentenceSets:
    """Picks sentences of the packages with most of them; no document gives to both sets.

    Sentences that name one of the packages are left out: reading a name is no understanding.

    Args:
        docstrings: documents that the model is not pre-trained on.
        num_packages: number of labels.
        train_each: sentences of each label to train on, at most.
        test_each: sentences of each label to score on, at most.

    Raises:
        CorpusError: fewer than two packages have sentences for both sets.
    """
    by_package: dict[str, list[list[str]]] = {}
    seen: set[str] = set()
    for doc in sorted(docstrings, key=lambda doc: hashlib.sha256(doc.name.encode()).digest()):
        new = [sentence for sentence in _sentences(doc) if sentence not in seen]
        seen.update(new)
        by_package.setdefault(doc.package, []).append(new[:_SENTENCES_OF_A_DOCUMENT])
    chosen = sorted(by_package, key=lambda name: (-len(by_package[name]), name))[:num_packages]
    names = {*chosen, "scikit", "pytorch"}
    train: list[tuple[str, str]] = []
    test: list[tuple[str, str]] = []
    for package in sorted(chosen):
        documents = [
            [sentence for sentence in sentences if not _names_one(sentence, names)]
            for sentences in by_package[package]
        ]
        half = len(documents) // 2
        for pairs, part, most in (
            (train, documents[:half], train_each),
            (test, documents[half:], test_each),
        ):
            sentences = [sentence for document in part for sentence in document]
            pairs += [(sentence, package) for sentence in sentences[:most]]
    if min(len({label for _, label in pairs}) for pairs in (train, test)) < 2:
        raise CorpusError("has too few sentences to classify", where="the documentation here")
    return SentenceSets(sorted(chosen), train, test)


def write_corpus(docstrings: Iterable[Docstring], path: Path) -> None:
    """Writes documents as JSON lines, the form that a user's own corpus may have."""
    with atomic_file(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        for doc in docstrings:
            record = {"title": doc.name, "text": doc.text}
            file.write(json.dumps(record, ensure_ascii=False) + "\n")


def write_sentence_sets(sets: SentenceSets, folder: Path) -> None:
    """Writes `train.tsv` and `dev.tsv` in the form of the `classify` task."""
    for name, pairs in (("train", sets.train), ("dev", sets.test)):
        with (
            atomic_file(folder / f"{name}.tsv") as temporary,
            temporary.open("w", encoding="utf-8", newline="") as file,
        ):
            writer = csv.writer(
                file,
                delimiter="\t",
                lineterminator="\n",
                quoting=csv.QUOTE_NONE,
                quotechar=None,
                escapechar="\\",
            )
            writer.writerow(["text", "label"])
            writer.writerows(pairs)


def _sentences(doc: Docstring) -> list[str]:
    """The document's sentences of a length that says something."""
    document = split(RawDocument(doc.name, doc.text, sentences_given=False, where=doc.name), "en")
    return [
        sentence
        for sentence in (document.sentences if document else [])
        if _MIN_WORDS <= len(sentence.split()) <= _MAX_WORDS and "\t" not in sentence
    ]


def _names_one(sentence: str, names: set[str]) -> bool:
    return any(name in sentence.lower() for name in names)


def _unit_hash(name: str) -> float:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:7]) / 2**56
