"""Examples as a Parquet file: the same as in training, whole or absent."""

import json
import os

import numpy as np
import pyarrow.parquet as pq
import pytest

from bertsmith.batches import PretrainingBatches
from bertsmith.errors import RecipeError, StoreError
from bertsmith.examples import ExampleSettings, export, export_examples

SETTINGS = ExampleSettings(max_seq_length=40, short_seq_prob=0.3)
SINGLES = SETTINGS.model_copy(update={"next_sentence": False})
WORDS = SETTINGS.model_copy(update={"whole_word_masking": True, "pair_labels": "order"})


@pytest.mark.parametrize("settings", [SETTINGS, SINGLES, WORDS], ids=["pairs", "singles", "words"])
def test_rows_are_the_examples_of_a_run(tmp_path, small_store, settings, monkeypatch):
    monkeypatch.setattr(export, "_ROW_GROUP_TOKENS", 40 * 16)
    path = tmp_path / "examples.parquet"
    summary = export_examples(small_store, settings, path, seed=3, epochs=2)
    file = pq.ParquetFile(path)
    rows = file.read().to_pylist()
    assert summary.num_examples == len(rows) > 150
    assert summary.num_tokens == sum(len(row["input_ids"]) for row in rows)
    assert summary.num_predictions == sum(len(row["masked_labels"]) for row in rows)
    groups = [file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)]
    assert max(groups) == 16
    batches = PretrainingBatches(
        small_store, np.arange(small_store.num_documents), settings, global_batch_size=1, seed=3
    )
    for number, row in enumerate(rows):
        (batch,) = batches.micro_batches(number, 1)
        assert row["input_ids"] == batch.input_ids.tolist()
        assert row["token_type_ids"] == batch.token_type_ids.tolist()
        assert row["masked_positions"] == batch.masked_positions.tolist()
        assert row["masked_labels"] == batch.masked_labels.tolist()
        if settings.next_sentence:
            assert row["next_sentence_label"] == int(batch.next_sentence_labels[0])
        else:
            assert "next_sentence_label" not in row
        assert row["epoch"] == batches.global_indices(number)[0, 0]


def test_documents_are_those_of_the_text(tmp_path, small_store):
    path = tmp_path / "examples.parquet"
    export_examples(small_store, SETTINGS, path, documents=np.array([3, 7, 9]))
    seen = set()
    for row in pq.read_table(path).to_pylist():
        ids = list(row["input_ids"])
        for position, label in zip(row["masked_positions"], row["masked_labels"], strict=True):
            ids[position] = label
        a_length = row["token_type_ids"].count(0)
        for name, segment in (("a", ids[1 : a_length - 1]), ("b", ids[a_length:-1])):
            document = row[f"{name}_document"]
            seen.add(document)
            first, last = small_store.document_offsets[document : document + 2]
            start, stop = small_store.sentence_offsets[[first, last]].tolist()
            text = small_store.tokens(start, stop).tolist()
            assert any(text[place : place + len(segment)] == segment for place in range(len(text)))
    assert seen == {3, 7, 9}


def test_metadata_tells_what_the_examples_are(tmp_path, small_store):
    path = tmp_path / "examples.parquet"
    export_examples(small_store, WORDS, path, seed=5)
    told = json.loads(pq.read_schema(path).metadata[b"bertsmith"])
    assert told["vocabulary_sha256"] == small_store.manifest.vocabulary_sha256
    assert ExampleSettings.model_validate(told["settings"]) == WORDS
    assert (told["seed"], told["epochs"], told["words"]) == (5, 1, "pieces")


def test_same_arguments_same_bytes(tmp_path, small_store):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        export_examples(small_store, SETTINGS, tmp_path / name, seed=seed)
    first, second, other = ((tmp_path / name).read_bytes() for name in "abc")
    assert first == second != other


def test_what_cannot_be_written_is_told(tmp_path, small_store, monkeypatch):
    with pytest.raises(StoreError, match="is a folder; name a file"):
        export_examples(small_store, SETTINGS, tmp_path)
    with pytest.raises(RecipeError, match="0 epochs have no examples"):
        export_examples(small_store, SETTINGS, tmp_path / "a", epochs=0)
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="cannot be written"):
        export_examples(small_store, SETTINGS, tmp_path / "file" / "a.parquet")

    def full(*_):
        raise OSError(28, "No space left on device")

    (tmp_path / "a.parquet").write_text("what was there")
    monkeypatch.setattr(export, "build_examples", full)
    with pytest.raises(StoreError, match="No space left on device"):
        export_examples(small_store, SETTINGS, tmp_path / "a.parquet")
    assert (tmp_path / "a.parquet").read_text() == "what was there"
    assert {path.name for path in tmp_path.iterdir()} == {"a.parquet", "file"}


def test_a_name_that_is_not_utf_8(tmp_path, small_store):
    path = tmp_path / os.fsdecode(b"caf\xe9.parquet")
    summary = export_examples(small_store, SETTINGS, path)
    with path.open("rb") as file:
        assert pq.read_table(file).num_rows == summary.num_examples
