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

__all__ = [
    "SentenceSets",
    "make_sentence_sets",
    "split_off_labelled",
    "write_corpus",
    "write_sentence_sets",
]

_MIN_WORDS, _MAX_WORDS = 6, 40


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
    """Picks sentences of the packages with most of them, one from each document.

    Sentences that name one of the packages are left out: reading a name is no understanding.

    Args:
        docstrings: documents that the model is not pre-trained on.
        num_packages: number of labels, at most.
        train_each: sentences of each label to train on.
        test_each: sentences of each label to score on.
    """
    by_package: dict[str, dict[str, str]] = {}
    for doc in sorted(docstrings, key=lambda doc: hashlib.sha256(doc.name.encode()).digest()):
        sentence = _one_sentence(doc)
        if sentence is not None:
            by_package.setdefault(doc.package, {}).setdefault(sentence, doc.name)
    packages = sorted(by_package, key=lambda name: (-len(by_package[name]), name))
    needed = train_each + test_each
    enough = [name for name in packages if len(by_package[name]) >= needed][:num_packages]
    chosen = sorted(enough or packages[:2])
    names = {*chosen, "scikit", "pytorch", "learn"}
    train: list[tuple[str, str]] = []
    test: list[tuple[str, str]] = []
    for package in chosen:
        sentences = [
            sentence
            for sentence in by_package[package]
            if not any(name in sentence.lower() for name in names)
        ]
        cut = min(train_each, len(sentences) // 2)
        train += [(sentence, package) for sentence in sentences[:cut]]
        test += [(sentence, package) for sentence in sentences[cut : cut + test_each]]
    return SentenceSets(chosen, train, test)


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


def _one_sentence(doc: Docstring) -> str | None:
    """The document's first sentence within bounds (as a rule its summary), or None."""
    document = split(RawDocument(doc.name, doc.text, sentences_given=False, where=doc.name), "en")
    if document is None:
        return None
    fitting = [
        sentence
        for sentence in document.sentences
        if _MIN_WORDS <= len(sentence.split()) <= _MAX_WORDS and "\t" not in sentence
    ]
    return fitting[0] if fitting else None


def _unit_hash(name: str) -> float:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:7]) / 2**56
