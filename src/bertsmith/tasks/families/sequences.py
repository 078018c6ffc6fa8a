"""What tasks on a sentence or a pair share: columns, the feature, encoding and batching."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from bertsmith._words import counted
from bertsmith.batches import LabelledBatch
from bertsmith.errors import DataError
from bertsmith.tasks.data.tables import Layout, Row, read_table
from bertsmith.wordpiece import Tokenizer
from bertsmith.wordpiece.encoding import truncate_pair

__all__ = [
    "FIRST_TEXT",
    "SECOND_TEXT",
    "Columns",
    "SequenceExample",
    "SequenceFeature",
    "collate_sequences",
    "encode_sequence",
    "encode_sequences",
]

#: Column names that mean the only or the first text, and the second one, in the generic tasks.
FIRST_TEXT = ("text", "text_a", "sentence", "sentence1")
SECOND_TEXT = ("text_b", "sentence2")


@dataclass(frozen=True)
class SequenceExample:
    """A text or a pair of texts, its label as written, and where it stands (`file:line`)."""

    first: str
    second: str | None
    label: str | None
    where: str

    @property
    def is_empty(self) -> bool:
        """Whether there is no text in it, or none in one of a pair."""
        texts = [self.first] if self.second is None else [self.first, self.second]
        return not all(text.strip() for text in texts)


@dataclass(frozen=True)
class SequenceFeature:
    """`[CLS] A [SEP]` or `[CLS] A [SEP] B [SEP]`, with the label as a number if it has one."""

    input_ids: list[int]
    token_type_ids: list[int]
    example_index: int
    label: int | float | None = None

    @property
    def num_tokens(self) -> int:
        """Length in tokens."""
        return len(self.input_ids)


@dataclass(frozen=True)
class Columns:
    """Which columns of a table are the texts and the label; the first name that a row has counts.

    Attributes:
        first: names of the only or the first text.
        second: names of the second text; () for single texts.
        label: names of the label.
        second_optional: whether rows may lack the second text.
        layout: what is unusual about the table.
    """

    first: tuple[str, ...]
    second: tuple[str, ...] = ()
    label: tuple[str, ...] = ("label",)
    second_optional: bool = False
    layout: Layout = field(default_factory=Layout)

    def read(self, path: Path, *, labelled: bool) -> tuple[list[SequenceExample], tuple[str, ...]]:
        """Reads a table's examples, and notes on it.

        Raises:
            DataError: the table is broken (see `read_table`), or a row lacks a column or, where
                `labelled`, a label.
        """
        table = read_table(path, self.layout)
        examples = [self._example(row, labelled) for row in table.rows]
        notes = []
        if table.num_skipped:
            rows = counted(table.num_skipped, "row")
            notes.append(f"{path}: {rows} with a wrong number of columns left out")
        if empty := [example for example in examples if example.is_empty]:
            rows, first = counted(len(empty), "row"), empty[0].where
            notes.append(f"{path}: {rows} without a text, as at {first}; used as they are")
        return examples, tuple(notes)

    def _example(self, row: Row, labelled: bool) -> SequenceExample:
        first = row.text(self.first)
        second = row.text(self.second, required=not self.second_optional) if self.second else None
        label = row.text(self.label, required=labelled)
        label = label.strip() if label is not None else None
        if labelled and not label:
            raise DataError("its label is empty", where=row.where, fix="label or remove the row")
        return SequenceExample(first or "", second, label or None, row.where)


def encode_sequences(
    examples: Sequence[SequenceExample],
    label_values: Sequence[int | float | None],
    tokenizer: Tokenizer,
    max_seq_length: int,
) -> list[SequenceFeature]:
    """Encodes texts and pairs, cut to `max_seq_length` tokens; of a pair, the longer text."""
    return [
        encode_sequence(example.first, example.second, tokenizer, max_seq_length, index, label)
        for index, (example, label) in enumerate(zip(examples, label_values, strict=True))
    ]


def encode_sequence(
    first: str,
    second: str | None,
    tokenizer: Tokenizer,
    max_seq_length: int,
    example_index: int,
    label: int | float | None = None,
) -> SequenceFeature:
    """The ids and segments of `tokenizer.encode`, without the offsets, which nobody needs here."""
    first_ids = tokenizer.token_ids(first)
    second_ids = None if second is None else tokenizer.token_ids(second)
    num_first, num_second = truncate_pair(
        len(first_ids), None if second_ids is None else len(second_ids), max_seq_length
    )
    vocabulary = tokenizer.vocabulary
    input_ids = [vocabulary.cls_id, *first_ids[:num_first], vocabulary.sep_id]
    token_type_ids = [0] * len(input_ids)
    if second_ids is not None:
        input_ids += [*second_ids[:num_second], vocabulary.sep_id]
        token_type_ids += [1] * (num_second + 1)
    return SequenceFeature(input_ids, token_type_ids, example_index, label)


def collate_sequences(features: Sequence[SequenceFeature], dtype: torch.dtype) -> LabelledBatch:
    """Packs sequences with one label each, as `dtype` [B].

    Raises:
        DataError: a feature has no label.
    """
    labels = [feature.label for feature in features]
    if any(label is None for label in labels):
        raise DataError("an example has no label", fix="give labelled data")
    return LabelledBatch.from_lists(
        [feature.input_ids for feature in features],
        [feature.token_type_ids for feature in features],
        labels=torch.tensor(labels, dtype=dtype),
    )
