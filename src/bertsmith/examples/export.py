"""Examples with their masks, as a Parquet file for other tools."""

import importlib.metadata
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from bertsmith._files import atomic_file
from bertsmith._progress import progress
from bertsmith.errors import RecipeError, StoreError
from bertsmith.examples.build import PackedExamples, build_examples
from bertsmith.examples.plan import PairPlan, plan_epoch
from bertsmith.examples.settings import ExampleSettings
from bertsmith.examples.spans import ExampleSpans
from bertsmith.examples.split import epoch_order
from bertsmith.store import TokenStore

__all__ = ["ExportSummary", "export_examples"]

# A row group is built and written at once, so this bounds the memory: some 50 MB.
_ROW_GROUP_TOKENS = 2**20
_COLUMNS = {
    "input_ids": pa.list_(pa.field("token", pa.int32(), nullable=False)),
    "token_type_ids": pa.list_(pa.field("segment", pa.int8(), nullable=False)),
    "masked_positions": pa.list_(pa.field("position", pa.int32(), nullable=False)),
    "masked_labels": pa.list_(pa.field("token", pa.int32(), nullable=False)),
    "epoch": pa.int32(),
    "a_document": pa.int64(),
    "b_document": pa.int64(),
    "next_sentence_label": pa.int8(),
}
_COLUMNS_OF_PAIRS = ("b_document", "next_sentence_label")


@dataclass(frozen=True)
class ExportSummary:
    """What was exported.

    Attributes:
        num_examples: examples, over all epochs.
        num_tokens: their tokens, [CLS] and [SEP] counted.
        num_predictions: how many of them are to be predicted.
    """

    num_examples: int
    num_tokens: int
    num_predictions: int


def export_examples(
    store: TokenStore,
    settings: ExampleSettings,
    path: str | Path,
    *,
    seed: int = 0,
    epochs: int = 1,
    documents: NDArray[np.int64] | None = None,
) -> ExportSummary:
    """Writes examples with their masks to a Parquet file, whole or not at all.

    The rows are the examples in the order in which a run with the same documents, settings and seed
    sees them, not padded, epoch after epoch, each as long as the first. The columns are `input_ids`
    (masked), `token_type_ids`, `masked_positions` (in the example, from 0, ascending),
    `masked_labels` (the original ids there), `epoch`, `a_document` (number of segment A's document
    in the store), and for pairs `b_document` and `next_sentence_label`. The file's metadata has,
    under `bertsmith`, a JSON object with the settings, the seed and the SHA-256 of the vocabulary.

    Args:
        store: the token store.
        settings: how examples are made.
        path: the file; what stands there is replaced.
        seed: decides pairs, masks and order.
        epochs: passes over the documents, at least 1; every one pairs and masks anew.
        documents: ids of the documents to use; all of them where None.

    Raises:
        RecipeError: less than one epoch.
        StoreError: the file can't be written, or the documents give no examples.
    """
    path = Path(path)
    if epochs < 1:
        raise RecipeError(f"{epochs} epochs have no examples", where="epochs", fix="give 1 or more")
    if path.is_dir():
        raise StoreError("is a folder", where=path, fix="name a file, such as examples.parquet")
    if documents is None:
        documents = np.arange(store.num_documents)
    schema = _schema(store, settings, seed, epochs, len(documents))
    totals = np.zeros(3, dtype=np.int64)
    try:
        with (
            atomic_file(path) as temporary,
            # pyarrow would take a string for UTF-8, which a file's name need not be.
            pa.OSFile(os.fsencode(temporary), "wb") as file,
            pq.ParquetWriter(file, schema, compression="zstd", use_dictionary=False) as writer,
            progress("exporting", epochs, "epochs") as bar,
        ):
            num_examples = 0
            for epoch in range(epochs):
                plan = plan_epoch(store, documents, settings, seed, epoch)
                num_examples = num_examples or len(plan)
                for indices in _row_groups(plan, num_examples):
                    examples = build_examples(store, plan, indices)
                    writer.write_batch(_batch(store, plan, indices, examples, schema))
                    totals += (
                        len(indices),
                        len(examples.input_ids),
                        len(examples.masked_positions),
                    )
                    bar.advance(len(indices) / num_examples)
    except OSError as error:
        raise StoreError(
            f"cannot be written ({error.strerror or error})",
            where=path,
            fix="check the disk's room and permissions",
        ) from error
    return ExportSummary(*totals.tolist())


def _schema(
    store: TokenStore, settings: ExampleSettings, seed: int, epochs: int, num_documents: int
) -> pa.Schema:
    told = {
        "bertsmith_version": importlib.metadata.version("bertsmith"),
        "vocabulary_sha256": store.manifest.vocabulary_sha256,
        "vocab_size": store.manifest.vocab_size,
        "lowercase": store.manifest.lowercase,
        "words": store.manifest.words,
        "num_documents": num_documents,
        "seed": seed,
        "epochs": epochs,
        "settings": settings.model_dump(mode="json"),
    }
    fields = [
        pa.field(name, kind, nullable=False)
        for name, kind in _COLUMNS.items()
        if settings.next_sentence or name not in _COLUMNS_OF_PAIRS
    ]
    return pa.schema(fields, metadata={"bertsmith": json.dumps(told)})


def _row_groups(plan: PairPlan, num_examples: int) -> Iterator[NDArray[np.int64]]:
    # As in a run: what is over is left out, and what is missing taken from the start again.
    order = np.resize(epoch_order(len(plan), plan.seed, plan.epoch), num_examples)
    size = max(1, _ROW_GROUP_TOKENS // plan.settings.max_seq_length)
    return (order[start : start + size] for start in range(0, len(order), size))


def _batch(
    store: TokenStore,
    plan: PairPlan,
    indices: NDArray[np.int64],
    examples: PackedExamples,
    schema: pa.Schema,
) -> pa.RecordBatch:
    offsets, spans = examples.cu_seqlens, plan.spans.take(indices)
    masked_offsets = np.searchsorted(examples.masked_positions, offsets).astype(np.int32)
    row = np.repeat(np.arange(len(indices)), np.diff(masked_offsets))
    values = {
        "input_ids": _lists(offsets, examples.input_ids),
        "token_type_ids": _lists(offsets, examples.token_type_ids),
        "masked_positions": _lists(masked_offsets, examples.masked_positions - offsets[row]),
        "masked_labels": _lists(masked_offsets, examples.masked_labels),
        "epoch": pa.array(np.full(len(indices), plan.epoch, dtype=np.int32)),
        **_documents(store, spans),
    }
    if spans.next_sentence_labels is not None:
        values["next_sentence_label"] = pa.array(spans.next_sentence_labels)
    columns = [values[field.name].cast(field.type) for field in schema]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _lists(offsets: NDArray[np.int32], values: NDArray[np.int64]) -> pa.ListArray:
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(values))


def _documents(store: TokenStore, spans: ExampleSpans) -> dict[str, pa.Array]:
    starts = store.sentence_offsets[store.document_offsets]
    segments = {"a_document": spans.a_start, "b_document": spans.b_start}
    return {
        name: pa.array(np.searchsorted(starts, start, side="right") - 1)
        for name, start in segments.items()
    }
