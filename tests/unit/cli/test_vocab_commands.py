"""`bertsmith vocab`, `vocab extend` and `vocab inspect`, as a user types them."""

import json
import os
import random
import shlex

import pytest
import torch

from bertsmith import BertForPreTraining, Tokenizer
from bertsmith.wordpiece import Vocabulary
from cli_runs import FAST, sentence


@pytest.fixture(scope="module")
def clinic(tmp_path_factory):
    """60 documents like the corpus's, with two words that are new to its vocabulary."""
    rng = random.Random(9)
    documents = [
        "\n".join(f"the pericarditis {sentence(rng)}\nmountainitis {sentence(rng)}" for _ in "ab")
        for _ in range(30)
    ]
    path = tmp_path_factory.mktemp("clinic") / "clinic.txt"
    path.write_text("\n\n".join(documents) + "\n")
    return path


def complains(result, *parts):
    code, out, err = result
    assert code == 2, (out, err)
    assert len(err.splitlines()) == 1, err
    for part in parts:
        assert part in err, err


def test_workers_algorithm_and_places(bertsmith, tmp_path, corpus):
    paths = []
    for number, workers in enumerate((1, 2)):
        paths.append(tmp_path / f"{number}.txt")
        code, out, _ = bertsmith(
            "vocab", corpus, "-o", paths[-1], "--size", "150", "--algorithm", "likelihood",
            "--unused", "3", "--reserve", "pericarditis", "--reserve", "##itis",
            "--workers", workers, "--json",
        )  # fmt: skip
        assert code == 0
        assert json.loads(out)["sha256"] == Vocabulary.load(paths[-1]).sha256
    assert paths[0].read_bytes() == paths[1].read_bytes()
    tokens = Vocabulary.load(paths[0]).tokens
    assert tokens[:4] == ("[PAD]", "[unused0]", "[unused1]", "[unused2]")
    assert tokens[8:10] == ("pericarditis", "##itis")
    bertsmith("vocab", corpus, "-o", paths[1], "--size", "150", "--overwrite")
    assert set(Vocabulary.load(paths[1]).tokens) != set(tokens)


def test_cased(bertsmith, tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("Paris paris Paris paris .\n")
    for option, has in (("--cased", True), ("--lowercase", False)):
        assert bertsmith("vocab", path, "-o", tmp_path / "v.txt", option, "--overwrite")[0] == 0
        assert ("Paris" in Vocabulary.load(tmp_path / "v.txt").tokens) == has


def test_a_reserved_word_that_no_text_gives(bertsmith, tmp_path, corpus):
    arguments = ("vocab", corpus, "-o", tmp_path / "v.txt", "--size", "150")
    code, _, err = bertsmith(*arguments, "--reserve", "[E1]", "--reserve", "fine")
    assert code == 0
    assert "no text gives '[E1]'" in err
    assert "fine" not in err


def test_extending(bertsmith, tmp_path, clinic, vocab):
    path = tmp_path / "new.txt"
    code, out, _ = bertsmith("vocab", "extend", "--vocab", vocab, clinic, "-o", path, "--add", "2")
    assert code == 0
    old, new = vocab.read_text().split(), path.read_text().split()
    assert new[: len(old)] == old
    assert set(new[len(old) :]) == {"pericarditis", "mountainitis"}
    rows = {line.split()[0]: line.split() for line in out.splitlines() if "itis" in line}
    pieces = Tokenizer(vocab).tokenize("pericarditis")
    saved = 60 * (len(pieces) - 1)
    assert rows["pericarditis"] == ["pericarditis", *pieces, "60", str(saved)]
    assert "tokens per word" in out


def test_extending_as_json_into_free_places(bertsmith, tmp_path, clinic, corpus):
    old, new = tmp_path / "old.txt", tmp_path / "new.txt"
    bertsmith("vocab", corpus, "-o", old, "--size", "160", "--unused", "1")
    code, out, _ = bertsmith(
        "vocab", "extend", clinic, "--vocab", old, "-o", new, "--add", "2", "--use-unused", "--json"
    )
    found = json.loads(out)
    assert code == 0
    assert [word["token_id"] for word in found["added"]] == [1, len(Vocabulary.load(old))]
    assert new.read_text().split()[1] == found["added"][0]["word"]
    counts = [Tokenizer(path).token_ids(clinic.read_text()) for path in (old, new)]
    ratio = found["tokens_per_word_after"] / found["tokens_per_word_before"]
    assert ratio == pytest.approx(len(counts[1]) / len(counts[0]))


def test_pretraining_goes_on_with_an_extended_vocabulary(bertsmith, tmp_path, clinic, model):
    new, store, run = tmp_path / "new.txt", tmp_path / "store", tmp_path / "run"
    assert bertsmith("vocab", "extend", "--vocab", model, clinic, "-o", new, "--add", "2")[0] == 0
    assert bertsmith("prepare", clinic, "--vocab", new, "-o", store, "--workers", "1")[0] == 0
    code, _, err = bertsmith(
        "pretrain", store, "--recipe", "tiny", "--init", model, "-o", run, *FAST,
        "--set", "training.num_steps=2", "--set", "training.learning_rate=1e-9",
    )  # fmt: skip
    assert code == 0, err
    assert "2 new tokens start as the mean of their pieces" in err
    old, loaded = BertForPreTraining.from_pretrained(model), BertForPreTraining.from_pretrained(run)
    old_size = old.config.vocab_size
    assert loaded.config.vocab_size == old_size + 2
    pieces = Tokenizer.from_pretrained(model).token_ids("pericarditis")
    new_id = Tokenizer.from_pretrained(run).token_ids("pericarditis")
    assert new_id in ([old_size], [old_size + 1])
    wanted = old.bert.word_embeddings[pieces].mean(0)
    torch.testing.assert_close(loaded.bert.word_embeddings[new_id[0]], wanted, atol=1e-6, rtol=0)
    assert bertsmith("predict", "fill-mask", "--model", run, "the [MASK] .")[0] == 0


def test_pretraining_refuses_another_vocabulary(bertsmith, tmp_path, corpus, model):
    other, store = tmp_path / "other.txt", tmp_path / "store"
    tokens = Tokenizer.from_pretrained(model).vocabulary.tokens
    other.write_text("".join(f"{token}\n" for token in (*tokens[:-2], tokens[-1], tokens[-2])))
    bertsmith("prepare", corpus, "--vocab", other, "-o", store, "--workers", "1")
    result = bertsmith("pretrain", store, "--init", model, "-o", tmp_path / "run")
    complains(result, "neither the model's nor an extension", "vocab extend")


def test_inspecting(bertsmith, clinic, vocab):
    code, out, _ = bertsmith("vocab", "inspect", vocab, "--corpus", clinic)
    assert code == 0
    text = clinic.read_text()
    num_tokens = len(Tokenizer(vocab).token_ids(text))
    rows = dict(line.strip().rsplit("  ", 1) for line in out.splitlines() if "  " in line.strip())
    rows = {name.strip(): value for name, value in rows.items()}
    assert rows["tokens of the text"] == f"{num_tokens:,}"
    assert rows["words of the text"] == f"{len(text.split()):,}"
    assert "most frequent [UNK] words: none" in out
    assert "pericarditis" in out


def test_two_vocabularies_side_by_side(bertsmith, tmp_path, clinic, vocab):
    new = tmp_path / "new.txt"
    bertsmith("vocab", "extend", "--vocab", vocab, clinic, "-o", new, "--add", "2")
    code, out, _ = bertsmith("vocab", "inspect", vocab, new, "--corpus", clinic)
    assert code == 0
    assert out.splitlines()[0].split() == [str(vocab), str(new)]
    code, out, _ = bertsmith("vocab", "inspect", vocab, new, "--corpus", clinic, "--json")
    first, second = json.loads(out)
    assert code == 0
    assert first["num_words"] == second["num_words"]
    assert first["pieces_per_word"] > second["pieces_per_word"]
    assert second["num_entries"] == first["num_entries"] + 2


def test_each_of_two_vocabularies_has_its_casing(bertsmith, tmp_path):
    text = tmp_path / "a.txt"
    text.write_text("Anna met Otto in Bonn.\nOtto met Anna.\n" * 20)
    for name, casing in (("cased", "--cased"), ("uncased", "--lowercase")):
        arguments = ("-o", tmp_path / f"{name}.txt", "--size", 60, casing)
        assert bertsmith("vocab", text, *arguments)[0] == 0
    both = (tmp_path / "cased.txt", tmp_path / "uncased.txt")
    inspect = ("vocab", "inspect", *both, "--corpus", text)
    code, out, err = bertsmith(*inspect, "--casing", "cased", "--casing", "lowercase", "--json")
    assert (code, err) == (0, "")
    first, second = json.loads(out)
    assert [first["lowercase"], second["lowercase"]] == [False, True]
    for found in (first, second):
        assert (found["unknown_rate"], found["whole_word_rate"]) == (0, 1)
    # One casing for both is unfair to one of them.
    for casing, unfair in (("--cased", second), ("--lowercase", first)):
        results = json.loads(bertsmith(*inspect, casing, "--json")[1])
        (worse,) = [found for found in results if found["vocabulary"] == unfair["vocabulary"]]
        assert worse["whole_word_rate"] < 0.7
    _, out, _ = bertsmith(*inspect, "--casing", "cased", "--casing", "lowercase")
    assert out.splitlines()[1].split() == ["text", "is", "read", "cased", "lower-cased"]
    _, _, err = bertsmith(*inspect)
    assert "give --casing for each of the two, cased for this one" in err


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (["--casing", "cased"], ["--casing: is given for 1, and there are 2 vocabularies"]),
        (["--casing", "Cased", "--casing", "cased"], ["--casing Cased: is no casing"]),
        (["--casing", "cased", "--casing", "cased", "--cased"], ["leave --cased"]),
    ],
)
def test_casings_that_say_nothing(bertsmith, vocab, clinic, options, parts):
    complains(bertsmith("vocab", "inspect", vocab, vocab, "--corpus", clinic, *options), *parts)


def test_a_corpus_named_as_a_command(bertsmith, tmp_path, monkeypatch, corpus):
    monkeypatch.chdir(tmp_path)
    os.mkdir("extend")  # noqa: PTH102
    (tmp_path / "extend" / "corpus.txt").write_bytes(corpus.read_bytes())
    assert bertsmith("vocab", "./extend", "-o", "v.txt", "--size", "160")[0] == 0
    code, _, err = bertsmith("vocab", "extend", "-o", "w.txt", "--size", "160")
    assert code == 2
    assert "--size" in err


def test_help_names_the_commands_under_a_command(bertsmith):
    code, out, _ = bertsmith("vocab", "--help")
    assert code == 0
    assert "bertsmith vocab extend" in out
    assert "bertsmith vocab inspect" in out
    code, out, _ = bertsmith("vocab", "extend", "--help")
    assert code == 0
    assert "vocab extend [OPTIONS]" in out
    assert "--language" in out


def test_a_word_that_is_no_command_but_has_some_under_it(bertsmith, monkeypatch):
    from bertsmith.cli import app

    monkeypatch.setattr(
        app, "_COMMANDS", {"vocab": "Learn.", "other vocab": "One.", "other demo": "Two."}
    )
    monkeypatch.setattr(
        app.importlib, "import_module", lambda name: __import__("bertsmith.cli.demo").cli.demo
    )
    code, out, _ = bertsmith("other", "--help")
    assert code == 0
    assert "bertsmith other vocab: One." in out
    code, _, err = bertsmith("other")
    assert code == 2
    assert "other vocab" in err
    assert "other demo" in err


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (["--size", "20"], ["--size", "--limit-alphabet"]),
        (["--language", "english"], ["--language", "did you mean en"]),
        (["--errors", "maybe"], ["--errors", "maybe"]),
        (["--duplicates", "many"], ["--duplicates", "many"]),
        (["--boilerplate-documents", "1"], ["--boilerplate-documents"]),
        (["--workers", "0"], ["--workers"]),
        (["--workers", "2", "--dask", "tcp://127.0.0.1:1"], ["--dask"]),
        (["--reserve", "two words"], ["white space"]),
    ],
)
def test_options_that_cannot_be(bertsmith, tmp_path, corpus, options, parts):
    output = tmp_path / "vocab.txt"
    complains(bertsmith("vocab", corpus, "-o", output, *options), *parts)
    assert not output.exists()


def test_an_output_that_is_a_folder_is_told_before_the_work(bertsmith, tmp_path, vocab):
    missing = tmp_path / "missing.txt"
    for command in (["vocab"], ["vocab", "extend", "--vocab", vocab]):
        result = bertsmith(*command, missing, "-o", tmp_path)
        complains(result, str(tmp_path), "is a folder")


def test_extending_and_inspecting_complain_in_one_line(bertsmith, tmp_path, vocab, corpus):
    missing = tmp_path / "missing.txt"
    complains(bertsmith("vocab", "inspect", missing, "--corpus", corpus), "missing.txt")
    complains(bertsmith("vocab", "inspect", vocab, "--corpus", missing), "missing.txt")
    new = tmp_path / "new.txt"
    complains(bertsmith("vocab", "extend", "--vocab", missing, corpus, "-o", new), "missing.txt")
    complains(bertsmith("vocab", "extend", "--vocab", vocab, missing, "-o", new), "missing.txt")
    assert not new.exists()


def next_command(out):
    (line,) = (line for line in out.splitlines() if line.split()[:1] == ["next"])
    return shlex.split(line)[1:]


def test_the_next_command_reads_the_same_text(
    bertsmith, tmp_path, corpus, clinic, vocab, monkeypatch
):
    path, options = tmp_path / "a b.txt", ("--language", "de", "--duplicates", "exact")
    code, out, _ = bertsmith("vocab", corpus, clinic, "-o", path, "--cased", *options)
    assert code == 0
    words = next_command(out)
    wanted = ["bertsmith", "prepare", str(corpus), str(clinic), "--vocab", str(path), "--cased"]
    assert words == [*wanted, "-o", "store", *options]
    monkeypatch.chdir(tmp_path)
    assert bertsmith(*words[1:])[0] == 0
    _, out, _ = bertsmith("vocab", "extend", clinic, "--vocab", vocab, "-o", "c.txt", *options)
    wanted = ["bertsmith", "prepare", str(clinic), "--vocab", "c.txt", "-o", "store", *options]
    assert next_command(out) == wanted


def test_the_next_command_does_not_list_thousands_of_files(bertsmith, tmp_path):
    for number in range(9):
        (tmp_path / f"{number}.txt").write_text("It rains. It rains.\n")
    files = sorted(tmp_path.glob("*.txt"))
    _, out, _ = bertsmith("vocab", *files, "-o", tmp_path / "v", "--size", "40")
    assert next_command(out)[1:5] == ["prepare", str(files[0]), "...", "--vocab"]


@pytest.mark.parametrize("token", ["two words", ""])
def test_what_cannot_be_reserved_is_told_before_the_text_is_read(
    bertsmith, tmp_path, corpus, token, monkeypatch
):
    monkeypatch.setattr("bertsmith.wordpiece.count_words", None)
    result = bertsmith("vocab", corpus, "-o", tmp_path / "v.txt", "--reserve", token)
    complains(result, f"--reserve {token!r}: ", "give one word")
