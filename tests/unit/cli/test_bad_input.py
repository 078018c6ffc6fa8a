"""Every mistake of the issue's list: one clear line, exit code 2, and nothing lost."""

import json
import os
import shutil

import pytest
from safetensors.torch import load_file, save_file

from bertsmith.store import making
from cli_runs import FAST, complains


@pytest.mark.parametrize("command", ["vocab", "prepare"])
@pytest.mark.parametrize(
    ("name", "content", "parts"),
    [
        ("missing.txt", None, ["missing.txt"]),
        ("empty.txt", b"", ["empty.txt", "empty"]),
        ("blank.txt", b"\n \n\n", ["blank.txt"]),
        ("latin.txt", b"good line .\ncaf\xe9 .\n", ["latin.txt", "15", "--errors replace"]),
        ("nul.txt", b"good line .\nbad\x00line .\n", ["nul.txt", "NUL"]),
        ("long.txt", b"word " * 10_000_000, ["long.txt"]),
        ("empty_document.jsonl", b'{"text": "one ."}\n{"text": " "}\n', ["document.jsonl", "2"]),
        ("broken.jsonl", b'{"text": "one ."}\n{"text": \n', ["broken.jsonl", "2"]),
        ("no_column.jsonl", b'{"body": "one ."}\n', ["no_column.jsonl", "text"]),
        ("broken.txt.zst", b"(\xb5/\xfd\x04", ["broken.txt.zst"]),
        ("picture.png", b"\x89PNG", ["picture.png"]),
        ("folder", "folder", ["folder"]),
    ],
)
def test_text_that_cannot_be_read(bertsmith, tmp_path, vocab, command, name, content, parts):
    path, output = tmp_path / name, tmp_path / "output"
    if content == "folder":
        path.mkdir()
        (path / "notes.pdf").write_bytes(b"%PDF")
    elif content is not None:
        path.write_bytes(content)
    options = ["--size", "200"] if command == "vocab" else ["--vocab", vocab, "--workers", "1"]
    complains(bertsmith(command, path, "-o", output, *options), *parts)
    assert not output.exists()
    assert sorted(p.name for p in tmp_path.iterdir()) == ([name] if content is not None else [])


def test_errors_replace_goes_on(bertsmith, tmp_path, vocab):
    path = tmp_path / "latin.txt"
    path.write_bytes(b"the old river .\ncaf\xe9 near\x00 the bridge .\n\n\nthe red city .\n")
    code, _, err = bertsmith(
        "prepare", path, "--vocab", vocab, "-o", tmp_path / "store", "--errors", "replace",
        "--workers", "1",
    )  # fmt: skip
    assert code == 0, err


def test_a_store_that_is_there_survives_a_run_that_fails(bertsmith, tmp_path, vocab, store):
    mine = tmp_path / "store"
    shutil.copytree(store, mine)
    before = {path.name: path.read_bytes() for path in mine.iterdir()}
    bad = tmp_path / "bad.txt"
    bad.write_bytes(b"good .\n" * 1000 + b"\xff\n")
    result = bertsmith("prepare", bad, "--vocab", vocab, "-o", mine, "--overwrite")
    complains(result, "bad.txt", "7000")
    assert {path.name: path.read_bytes() for path in mine.iterdir()} == before
    complains(bertsmith("prepare", bad, "--vocab", vocab, "-o", mine), "store")


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        (lambda tokens: [t for t in tokens if t != "[MASK]"], ["[MASK]"]),
        (lambda tokens: [*tokens, tokens[-1]], ["twice"]),
        (lambda tokens: [], ["empty"]),
    ],
)
def test_a_vocabulary_that_cannot_be_used(bertsmith, tmp_path, corpus, vocab, change, parts):
    path = tmp_path / "vocab.txt"
    path.write_text("".join(f"{token}\n" for token in change(vocab.read_text().split("\n")[:-1])))
    result = bertsmith("prepare", corpus, "--vocab", path, "-o", tmp_path / "store")
    complains(result, "vocab.txt", *parts)


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        ("training.learning_rat=1", ["training.learning_rat", "did you mean"]),
        ("learning_rate=1", ["learning_rate", "training.learning_rate"]),
        ("training.learning_rate=-1", ["training.learning_rate"]),
        ("examples.max_seq_length=600", ["600"]),
        ("model.num_attention_heads=7", ["7"]),
        ("training.global_batch_size=100000000", ["100,000,000 sequences", "more than the text"]),
    ],
)
def test_recipe_keys_and_values(bertsmith, tmp_path, store, change, parts):
    result = bertsmith(
        "pretrain", store, "--recipe", "tiny", "-o", tmp_path / "run", "--set", change
    )
    complains(result, *parts)


def test_budget_that_is_no_time(bertsmith, tmp_path, store):
    complains(bertsmith("pretrain", store, "-o", tmp_path / "run", "--budget", "soon"), "soon")


def test_a_folder_that_is_no_store(bertsmith, tmp_path):
    complains(bertsmith("pretrain", tmp_path, "-o", tmp_path / "run"), str(tmp_path))


def test_a_checkpoint_cut_in_half(bertsmith, tmp_path, store, monkeypatch):
    run = tmp_path / "run"
    arguments = ("pretrain", store, "--recipe", "tiny", "-o", run, *FAST,
                 "--set", "training.num_steps=6",
                 "--set", "training.checkpoint_every_seconds=1e-6")  # fmt: skip
    assert bertsmith(*arguments)[0] == 0
    log = (run / "metrics.jsonl").read_text().splitlines(keepends=True)
    (run / "metrics.jsonl").write_text("".join(log[:-1]))
    (run / ".model.json").unlink()
    checkpoints = sorted((run / "checkpoints").iterdir())
    assert len(checkpoints) == 2
    for folder in checkpoints:
        weights = folder / "model.safetensors"
        os.truncate(weights, weights.stat().st_size // 2)
    code, _, err = bertsmith(*arguments)
    assert code == 2
    assert "model.safetensors is damaged" in err
    assert "none of the 2 checkpoints can be used" in err
    assert sorted((run / "checkpoints").iterdir()) == checkpoints
    result = bertsmith("predict", "fill-mask", "--model", checkpoints[0], "the [MASK] .")
    complains(result, "model.safetensors")


def test_vocabulary_and_embeddings_that_differ(bertsmith, tmp_path, model):
    mine = tmp_path / "model"
    shutil.copytree(model, mine)
    with (mine / "vocab.txt").open("a") as file:
        file.write("extra\n")
    result = bertsmith("predict", "fill-mask", "--model", mine, "the [MASK] .")
    complains(result, "vocab.txt")
    shutil.copy(model / "vocab.txt", mine / "vocab.txt")
    tensors = load_file(mine / "model.safetensors")
    name = "bert.embeddings.word_embeddings.weight"
    tensors[name] = tensors[name][:-1].clone()
    save_file(tensors, mine / "model.safetensors")
    result = bertsmith("predict", "fill-mask", "--model", mine, "the [MASK] .")
    complains(result, "word_embeddings")


@pytest.mark.parametrize("what", ["missing", "no-config", "broken-config"])
def test_a_model_folder_that_is_none(bertsmith, tmp_path, model, what):
    mine = tmp_path / "model"
    if what != "missing":
        shutil.copytree(model, mine)
        (mine / "config.json").unlink()
    if what == "broken-config":
        (mine / "config.json").write_text("{")
    complains(bertsmith("predict", "fill-mask", "--model", mine, "the [MASK] ."), "model")


def write_sst2(folder, rows):
    folder.mkdir()
    for name in ("train", "dev"):
        (folder / f"{name}.tsv").write_text("sentence\tlabel\n" + "".join(rows))
    return folder


GOOD_ROWS = ["the old river .\t0\n", "the red city .\t1\n"] * 4


@pytest.mark.parametrize(
    ("rows", "parts"),
    [
        ([*GOOD_ROWS, "no label here .\n"], ["train.tsv", "10"]),
        ([*GOOD_ROWS, "the bridge .\t7\n"], ["train.tsv", "10", "7"]),
        ([], ["train.tsv"]),
    ],
)
def test_task_data(bertsmith, tmp_path, model, rows, parts):
    data = write_sst2(tmp_path / "data", rows)
    complains(
        bertsmith("finetune", "sst2", "--model", model, "--data", data, "-o", tmp_path / "out"),
        *parts,
    )


def test_a_dev_label_that_training_does_not_know(bertsmith, tmp_path, model):
    data = tmp_path / "data"
    data.mkdir()
    rows = [{"text": "the old river .", "label": label} for label in ("a", "b") * 4]
    (data / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (data / "dev.jsonl").write_text(json.dumps({"text": "the city .", "label": "c"}) + "\n")
    result = bertsmith(
        "finetune", "classify", "--model", model, "--data", data, "-o", tmp_path / "out"
    )
    complains(result, "dev.jsonl", "c")


def test_unknown_task_and_missing_data(bertsmith, tmp_path, model):
    arguments = ("--model", model, "--data", tmp_path / "none", "-o", tmp_path / "out")
    complains(bertsmith("finetune", "sst3", *arguments), "sst3", "sst2")
    complains(bertsmith("finetune", "sst2", *arguments), "none")


def test_text_over_the_longest_sequence(bertsmith, model):
    text = "the [MASK] " + "river " * 100
    complains(bertsmith("predict", "fill-mask", "--model", model, text), "64")


def test_text_without_a_mask_and_wrong_head(bertsmith, model):
    complains(bertsmith("predict", "fill-mask", "--model", model, "the city ."), "[MASK]")
    complains(bertsmith("predict", "classify", "--model", model, "the city ."), "model")
    complains(bertsmith("predict", "fill-mask", "--model", model, ""), "")


def test_max_seq_length_over_the_model(bertsmith, tmp_path, model):
    data = write_sst2(tmp_path / "data", GOOD_ROWS)
    result = bertsmith(
        "finetune", "sst2", "--model", model, "--data", data, "-o", tmp_path / "out",
        "--set", "max_seq_length=65",
    )  # fmt: skip
    complains(result, "65", "64")


def test_a_model_folder_is_never_overwritten(bertsmith, tmp_path, model):
    mine = tmp_path / "model"
    shutil.copytree(model, mine)
    (mine / "recipe.yaml").unlink()
    before = (mine / "model.safetensors").read_bytes()
    data = write_sst2(tmp_path / "data", GOOD_ROWS)
    complains(bertsmith("finetune", "sst2", "--model", mine, "--data", data, "-o", mine), "no run")
    assert (mine / "model.safetensors").read_bytes() == before


def test_a_demo_in_a_folder_of_other_files(bertsmith, tmp_path):
    (tmp_path / "vocab.txt").write_text("precious")
    complains(bertsmith("demo", "-o", tmp_path), "no demo")
    complains(bertsmith("demo", "-o", tmp_path / "vocab.txt"), "vocab.txt")
    assert (tmp_path / "vocab.txt").read_text() == "precious"


@pytest.mark.parametrize(
    ("change", "part"),
    [("examples.max_seq_length=65", "65"), ("model.attention=causal", "attention")],
)
def test_a_recipe_that_contradicts_the_model_it_starts_from(
    bertsmith, tmp_path, store, model, change, part
):
    more = ("--set", "examples.next_sentence=false", "--set", "examples.max_seq_length=32")
    more = more if "causal" in change else ()
    result = bertsmith("pretrain", store, "--recipe", "tiny", "--init", model, "-o",
                       tmp_path / "run", *more, "--set", change)  # fmt: skip
    complains(result, part)


@pytest.mark.parametrize(
    "change", ["training.seed=2020-13-45", "training.seed=18446744073709551616",
               "training.budget_seconds=.inf", "training.learning_rate=.nan"]
)  # fmt: skip
def test_values_that_no_program_can_use(bertsmith, tmp_path, store, change):
    complains(bertsmith("pretrain", store, "-o", tmp_path / "run", "--set", change), "training.")


def test_a_budget_and_steps(bertsmith, tmp_path, store):
    """The command asks; else the one would be passed over in silence."""
    steps = ("--set", "training.num_steps=3")
    for more in (("--budget", "5s"), ("--set", "training.budget_seconds=5")):
        result = bertsmith("pretrain", store, "-o", tmp_path / "run", *steps, *more)
        complains(result, "training.num_steps=3: contradicts", "give one of the two")
    assert not (tmp_path / "run").exists()
    both = ("--set", "training.warmup_ratio=0.5", "--set", "training.num_warmup_steps=3")
    missing = ("--model", tmp_path, "--data", tmp_path, "-o", tmp_path / "run")
    complains(bertsmith("finetune", "sst2", *missing, "--recipe", "small", *both), "contradicts")


def test_an_output_that_cannot_be_written(bertsmith, tmp_path, corpus):
    (tmp_path / "folder").mkdir()
    complains(bertsmith("vocab", corpus, "-o", tmp_path / "folder", "--size", "160"), "folder")


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("die Brücke .\n".encode("utf-16"), "looks like UTF-16; convert the file to UTF-8, or"),
        ("Brücke".encode("latin-1"), "byte offset 2 is not UTF-8; convert the file to UTF-8, or"),
    ],
)
def test_what_was_taken_for_text(bertsmith, tmp_path, vocab, content, what):
    (tmp_path / "a.txt").write_bytes(content)
    arguments = ("prepare", tmp_path / "a.txt", "--vocab", vocab, "-o", tmp_path / "store")
    complains(bertsmith(*arguments), "a.txt:1: byte 0x", what)


def test_memory_that_is_not_enough(bertsmith, tmp_path, corpus, vocab, monkeypatch):
    def too_much(*_):
        raise MemoryError

    monkeypatch.setattr(making, "write_shard", too_much)
    arguments = ("prepare", corpus, "--vocab", vocab, "-o", tmp_path / "store", "--workers", 1)
    complains(bertsmith(*arguments), "the memory is not enough; give fewer --workers")
    assert list(tmp_path.iterdir()) == []


def test_a_model_that_does_not_fit(bertsmith, tmp_path, corpus, vocab):
    assert bertsmith("prepare", corpus, "--vocab", vocab, "-o", tmp_path / "store")[0] == 0
    run = ("pretrain", tmp_path / "store", "--recipe", "tiny", "-o", tmp_path / "run")
    far_too_much = ("--set", f"model.intermediate_size={10**13}")
    told = (
        "the memory is not enough for another 4,768,371.6 GiB; give fewer --workers, or a smaller"
    )
    complains(bertsmith(*run, *far_too_much), told)
    assert not (tmp_path / "run").exists()
