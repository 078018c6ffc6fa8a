"""Commands as a user types them, on a corpus and a model of seconds."""

import json
import subprocess
import sys

import pytest
import transformers

import bertsmith as package


@pytest.fixture(scope="module")
def sentiment(tmp_path_factory):
    """A task that a bag of words solves: `red` is 1, `old` is 0."""
    folder = tmp_path_factory.mktemp("sst2")
    for name, count in (("train", 40), ("dev", 10)):
        rows = [
            f"the {word} river near the {place} .\t{label}\n"
            for place in ("bridge", "market", "city", "village") * (count // 8 + 1)
            for word, label in (("red", 1), ("old", 0))
        ][:count]
        (folder / f"{name}.tsv").write_text("sentence\tlabel\n" + "".join(rows))
    return folder


@pytest.fixture(scope="module")
def classifier(model, sentiment, tmp_path_factory):
    from cli_runs import run

    path = tmp_path_factory.mktemp("classifier") / "run"
    options = ("training.num_epochs=8", "training.learning_rate=5e-3",
               "training.global_batch_size=8", "training.precision=fp32")  # fmt: skip
    sets = [part for option in options for part in ("--set", option)]
    assert run("finetune", "sst2", "--model", model, "--data", sentiment, "-o", path, *sets) == 0
    return path


def test_help_is_fast_and_imports_no_torch():
    command = [sys.executable, "-X", "importtime", "-m", "bertsmith", "--help"]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    for name in ("demo", "vocab", "prepare", "pretrain", "finetune", "evaluate", "predict"):
        assert name in result.stdout
    imported = {line.rpartition("|")[2].strip() for line in result.stderr.splitlines()}
    assert not imported & {"torch", "numpy", "pydantic", "pyarrow", "tokenizers"}
    assert len(imported) < 550


def test_importing_the_package_imports_no_torch():
    code = "import bertsmith, sys; assert 'torch' not in sys.modules; bertsmith.Tokenizer"
    code += (
        "; assert 'torch' not in sys.modules; bertsmith.BertModel; assert 'torch' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_public_name_is_there():
    for name in package.__all__:
        assert getattr(package, name) is not None


def test_version(bertsmith):
    assert bertsmith("--version") == (0, f"bertsmith {package.__version__}\n", "")


@pytest.mark.parametrize("command", ["pretrain", "finetune"])
def test_help_lists_every_setting(bertsmith, command):
    from bertsmith.recipes import describe_settings
    from bertsmith.tasks import FinetuneRecipe
    from bertsmith.training import PretrainRecipe

    code, out, _ = bertsmith(command, "--help")
    assert code == 0
    kind = PretrainRecipe if command == "pretrain" else FinetuneRecipe
    for path, _, _ in describe_settings(kind):
        assert path in out.replace("\n", " "), path


def test_vocab_is_the_same_twice(bertsmith, tmp_path, corpus):
    for name in ("one.txt", "two.txt"):
        code, _, _ = bertsmith("vocab", corpus, "-o", tmp_path / name, "--size", "160")
        assert code == 0
    assert (tmp_path / "one.txt").read_bytes() == (tmp_path / "two.txt").read_bytes()


def test_prepare_as_json(bertsmith, tmp_path, corpus, vocab):
    code, out, _ = bertsmith(
        "prepare", corpus, "--vocab", vocab, "-o", tmp_path / "store", "--json", "--workers", "1"
    )
    manifest = json.loads(out)
    assert code == 0
    assert manifest["num_documents"] == 60
    assert manifest["num_sentences"] == 360


def test_a_run_is_a_hugging_face_folder(model):
    theirs = transformers.AutoModelForPreTraining.from_pretrained(model)
    assert type(theirs).__name__ == "BertForPreTraining"
    tokenizer = transformers.AutoTokenizer.from_pretrained(model)
    ours = package.Tokenizer.from_pretrained(model)
    text = "The old river, near the city."
    assert tokenizer(text)["input_ids"] == ours.encode(text).input_ids


def test_pairs_that_may_be_swapped_are_not_called_next_sentence(bertsmith, store, tmp_path):
    from cli_runs import FAST

    order = ("--set", "examples.pair_labels=order", "--set", "training.num_steps=2")
    run = ("pretrain", store, "--recipe", "tiny", *FAST, *order, "-o", tmp_path / "run")
    code, out, _ = bertsmith(*run)
    assert code == 0
    assert "  held-out sentence order accuracy  " in out
    assert "NSP" not in out


def test_predict_fill_mask(bertsmith, model):
    code, out, _ = bertsmith("predict", "fill-mask", "--model", model, "the [MASK] .", "--json")
    result = json.loads(out)["result"]
    assert code == 0
    assert len(result) == 5
    assert result[0]["score"] >= result[-1]["score"] > 0


def test_predict_next_sentence_and_score(bertsmith, model):
    pair = ("the old river .", "the red city .")
    code, out, _ = bertsmith("predict", "next-sentence", "--model", model, *pair)
    assert code == 0
    assert "is_next" in out
    code, out, _ = bertsmith("predict", "score", "--model", model, pair[0], "--json")
    assert json.loads(out)["result"]["score"] < 0


@pytest.mark.parametrize("suffix", ["jsonl", "npz", "parquet"])
def test_hidden_states_are_written(bertsmith, tmp_path, model, suffix):
    texts = tmp_path / "texts.txt"
    texts.write_text("the old river .\nthe red city walks slowly .\n")
    output = tmp_path / f"features.{suffix}"
    code, _, err = bertsmith("predict", "embed", "--model", model, "--input", texts,
                             "--layers", "-1,0", "-o", output)  # fmt: skip
    assert code == 0, err
    assert output.stat().st_size > 100


def test_finetune_learns_and_evaluate_agrees(bertsmith, tmp_path, classifier, sentiment):
    log = [json.loads(line) for line in (classifier / "metrics.jsonl").read_text().splitlines()]
    best = max(record["accuracy"] for record in log if record["kind"] == "evaluation")
    assert best == 1.0
    predictions = tmp_path / "predictions.jsonl"
    code, out, _ = bertsmith("evaluate", "sst2", "--model", classifier, "--data", sentiment,
                             "--predictions", predictions, "--json")  # fmt: skip
    assert code == 0
    assert json.loads(out)["accuracy"] == best
    assert len(predictions.read_text().splitlines()) == 10
    code, out, _ = bertsmith("predict", "classify", "--model", classifier, "the red city .")
    assert code == 0
    assert "1" in out


@pytest.mark.parametrize("no_word", ["red", "old"], ids=["nothing to learn", "all to learn"])
def test_a_score_at_chance_is_told(bertsmith, tmp_path, model, no_word):
    """Two thirds of the dev set are of one class, which is all that texts without a sign teach."""
    rows = [("red", "yes"), ("red", "yes"), (no_word, "no")] * 12
    text = "".join(f"the {word} river .,{label}\n" for word, label in rows)
    for name in ("train", "dev"):
        (tmp_path / f"{name}.csv").write_text(f"text,label\n{text}")
    options = ("training.learning_rate=5e-3", "training.num_epochs=8",
               "training.global_batch_size=4", "training.precision=fp32")  # fmt: skip
    sets = [part for option in options for part in ("--set", option)]
    run = tmp_path / "a run"
    command = ("finetune", "classify", "--model", model, "--data", tmp_path, "-o", run, *sets)
    code, out, err = bertsmith(*command, "--json")
    assert code == 0
    accuracy = json.loads(out)["scores"]["accuracy"]
    if no_word == "old":
        assert (accuracy, err) == (1.0, "")
        return
    assert accuracy == 2 / 3
    (line,) = err.splitlines()
    assert f"{run}: accuracy {accuracy:.4f} on dev is no better than always giving the same" in line
    assert f"(0.6667); bertsmith doctor run '{run}' looks" in line
    assert bertsmith("doctor", "run", run)[0] in (0, 1)


def test_evaluate_needs_a_head(bertsmith, model, sentiment):
    code, _, err = bertsmith("evaluate", "sst2", "--model", model, "--data", sentiment)
    assert code == 2
    command = f"bertsmith finetune sst2 --model '{model}' --data '{sentiment}' -o runs/sst2\n"
    assert err.replace("'", "").endswith(f"; fine-tune it first: {command}".replace("'", ""))


def test_frozen_layers_from_scratch(bertsmith, tmp_path, model, sentiment):
    arguments = ("--model", model, "--data", sentiment, "--set", "training.freeze_layers=1")
    short = ("--set", "training.num_epochs=1", "-o")
    told = []
    for name, more in (("a", ()), ("b", ("--from-scratch",))):
        code, _, err = bertsmith("finetune", "sst2", *arguments, *more, *short, tmp_path / name)
        assert code == 0
        told.append("1 layer stay at their random weights; leave it out, or --from-scratch" in err)
    assert told == [False, True]


def test_finetune_from_scratch_differs(bertsmith, tmp_path, model, sentiment):
    arguments = ("--model", model, "--data", sentiment, "--set", "training.num_epochs=1")
    for name, more in (("a", ()), ("b", ("--from-scratch",))):
        code, _, err = bertsmith("finetune", "sst2", *arguments, "-o", tmp_path / name, *more)
        assert code == 0, err
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in "ab"]
    assert weights[0] != weights[1]
    code, _, err = bertsmith("finetune", "sst2", *arguments, "-o", tmp_path / "a", "--from-scratch")
    assert code == 2
    assert "from_scratch = false, not true" in err


def test_predict_reads_standard_input(model):
    command = [sys.executable, "-m", "bertsmith", "predict", "fill-mask", "--model", str(model)]
    result = subprocess.run(
        [*command, "--json"], input="the [MASK] .\na [MASK] .\n", capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert [json.loads(line)["text"] for line in result.stdout.splitlines()] == [
        "the [MASK] .",
        "a [MASK] .",
    ]


@pytest.fixture(scope="module")
def tagger(model, tmp_path_factory):
    from cli_runs import run

    folder = tmp_path_factory.mktemp("tagger")
    sentence = "the O\nriver B-LOC\nnear O\nthe O\ncity B-LOC\n\n"
    for name in ("train", "dev"):
        (folder / f"{name}.txt").write_text(sentence * 8)
    arguments = ("--model", model, "--data", folder, "-o", folder / "run")
    options = ("training.num_epochs=20", "training.learning_rate=5e-3", "training.precision=fp32")
    sets = [part for option in options for part in ("--set", option)]
    assert run("finetune", "ner", *arguments, *sets) == 0
    return folder / "run"


def test_tags_are_the_same_from_argument_and_file(bertsmith, tmp_path, tagger):
    text = "the river near the city"
    (tmp_path / "in.txt").write_text(text + "\n")
    outputs = []
    for source in ((text,), ("--input", tmp_path / "in.txt")):
        code, out, err = bertsmith("predict", "tag", "--model", tagger, *source, "--json")
        assert code == 0, err
        outputs.append(json.loads(out)["result"])
    assert outputs[0] == outputs[1]
    assert [(entity["start"], entity["end"]) for entity in outputs[0]] == [(4, 9), (19, 23)]


def test_evaluate_says_when_the_model_is_of_another_task(bertsmith, classifier, sentiment):
    data = sentiment / "dev.tsv"
    code, _, err = bertsmith("evaluate", "sst2", "--model", classifier, "--data", data)
    assert (code, "fine-tuned for" in err) == (0, False)
    code, _, err = bertsmith("evaluate", "cola", "--model", classifier, "--data", sentiment)
    assert "was fine-tuned for sst2, not cola" in err


@pytest.mark.parametrize("split", ["foo", "all"])
def test_a_split_that_is_not_there(bertsmith, classifier, sentiment, split):
    code, _, err = bertsmith(
        "evaluate", "sst2", "--model", classifier, "--data", sentiment, "--split", split
    )
    assert code == 2
    assert f"has no split '{split}'" in err


def test_ner_wants_entities(bertsmith, tmp_path, model, sentiment):
    code, _, err = bertsmith(
        "finetune", "ner", "--model", model, "--data", sentiment, "-o", tmp_path / "run"
    )
    assert code == 2
    assert "names no entity" in err
