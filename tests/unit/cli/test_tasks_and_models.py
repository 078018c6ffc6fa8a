"""Fine-tuned models on data of other tasks, data with gaps, and files as a task has them."""

import json
import shutil

import pytest

from cli_runs import FAST, WORDS
from tuned_runs import QUICK, SENTENCES, write_glue


@pytest.mark.parametrize(("task", "other"), [("stsb", "sst2"), ("sst2", "stsb"), ("ner", "sst2")])
def test_a_model_is_not_scored_on_answers_of_another_kind(bertsmith, tuned, task, other):
    folder, data = tuned
    path = data.get(task, data["sst2"])
    code, _, err = bertsmith("evaluate", task, "--model", folder / other, "--data", path)
    assert code == 2
    assert f"was fine-tuned for {other}, whose answers are of another kind; give a model" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("task", "other", "told"),
    [("stsb", "sst2", "one of several classes, and"), ("sst2", "stsb", "a number, and sst2 asks")],
)
def test_nor_is_one_that_is_no_run_of_ours(bertsmith, tuned, tmp_path, task, other, told):
    folder, data = tuned
    for file in (folder / other).iterdir():
        if file.suffix in (".json", ".safetensors", ".txt"):
            (tmp_path / file.name).write_bytes(file.read_bytes())
    code, _, err = bertsmith("evaluate", task, "--model", tmp_path, "--data", data[task])
    assert (code, "answers with " + told in err) == (2, True), err


def test_numbers_that_were_not_learned_are_told(bertsmith, model, tmp_path):
    """A correlation of 0 or less is what a number has that is always the same."""
    header = ("sentence1", "sentence2", "score")
    numbers = [(text, text, index % 5) for index, text in enumerate(SENTENCES)]
    data = write_glue(tmp_path / "data", header, numbers)
    dev = [header, *((text, text, 3) for text in SENTENCES)]  # nothing goes with what never varies
    (data / "dev.tsv").write_text("".join("\t".join(map(str, line)) + "\n" for line in dev))
    options = ("--set", "training.learning_rate=1e-9", "-o", tmp_path / "run", *QUICK)
    code, out, err = bertsmith("finetune", "stsb", "--model", model, "--data", data, *options)
    assert code == 0
    assert "pearson_correlation   0.0000" in out
    assert "0.0000 on dev is no better than always giving the same answer (0.0000)" in err
    log = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    start = json.loads(log[0])
    assert start["least_score"] == 0


def csv_file(folder, rows, name="data.csv"):
    path = folder / name
    path.write_text("text,label\n" + "".join(f"{text},{label}\n" for text, label in rows))
    return path


def test_a_number_that_is_always_the_same_teaches_nothing(bertsmith, model, tmp_path):
    path = csv_file(tmp_path, [(text, 3) for text in SENTENCES])
    command = ("finetune", "regress", "--model", model, "--data", path, "-o", tmp_path / "run")
    code, _, err = bertsmith(*command)
    assert code == 2
    assert "data.csv:2: all examples have the same number, 3; give examples whose" in err
    assert not (tmp_path / "run" / "recipe.yaml").exists()


def test_a_class_that_only_held_out_examples_have_is_one(bertsmith, model, tmp_path):
    """Who gives a single file hasn't chosen what is held out of it."""
    rows = [(text, f"kind{index}") for index, text in enumerate(SENTENCES)]
    path = csv_file(tmp_path, rows)
    output = tmp_path / "run"
    code, _, err = bertsmith(
        "finetune", "classify", "--model", model, "--data", path, "-o", output, *QUICK
    )
    assert code == 0, err
    labels = json.loads((output / "config.json").read_text())["id2label"]
    assert len(labels) == len(SENTENCES)


def test_gaps_in_the_data_are_told(bertsmith, model, tmp_path):
    rows = [(text, index % 2) for index, text in enumerate(SENTENCES)]
    path = csv_file(tmp_path, [*rows, ("", 1), ('" "', 0)])
    command = ("finetune", "classify", "--model", model, "-o", tmp_path / "run", *QUICK)
    code, _, err = bertsmith(*command, "--data", path)
    assert code == 0
    assert "2 rows without a text, as at " in err
    lines = [json.dumps({"text": text, "label": label}) for text, label in rows]
    path = tmp_path / "null.jsonl"
    path.write_text("\n".join([*lines, '{"text": "the river", "label": null}']))
    code, _, err = bertsmith(*command, "--data", path)
    assert code == 2
    assert f"null.jsonl:{len(rows) + 1}: its 'label' is null; give a value, or remove" in err
    path.write_text("\n".join([*lines, '{"text": "the river", "label": true}']))
    _, _, err = bertsmith(*command, "--data", path)
    assert "column 'label' holds True, not text; write \"true\"" in err


def test_a_run_goes_on_with_its_own_data_alone(bertsmith, model, tmp_path):
    rows = [(text, index % 2) for index, text in enumerate(SENTENCES)]
    path, other = csv_file(tmp_path, rows), csv_file(tmp_path, rows[1:], "other.csv")
    command = ("finetune", "classify", "--model", model, "-o", tmp_path / "run", *QUICK, "--data")
    assert bertsmith(*command, path)[0] == 0
    code, _, err = bertsmith(*command, other)
    assert code == 2
    assert f"this run was started on other data (on {path}, not {other}); give the data" in err
    csv_file(tmp_path, rows[2:])
    assert f"other data ({path} has changed since); give" in bertsmith(*command, path)[2]
    moved = tmp_path / "moved.csv"
    csv_file(tmp_path, rows, "moved.csv")
    assert f"other data (what was {path} is {moved} now); give" in bertsmith(*command, moved)[2]


def test_a_model_of_a_run_that_may_yet_replace_it_is_told(bertsmith, tuned, tmp_path):
    folder, data = tuned
    run = tmp_path / "run"
    shutil.copytree(folder / "sst2", run)
    command = ("evaluate", "sst2", "--model", run, "--data", data["sst2"])
    code, scores, err = bertsmith(*command)
    assert (code, err) == (0, "")
    log = (run / "metrics.jsonl").read_text().splitlines(keepends=True)
    (run / "metrics.jsonl").write_text("".join(log[:-1]))
    stamp = json.loads((run / ".model.json").read_text())
    (run / ".model.json").write_text(json.dumps({**stamp, "is_last": False}))
    assert bertsmith(*command) == (
        code,
        scores,
        f"bertsmith: {run}: this run isn't finished; its model is the best so far, of step "
        f"{stamp['step']}\n",
    )
    code, _, err = bertsmith("predict", "classify", "--model", run, "the river")
    assert code == 0
    assert "this run isn't finished" in err


def test_a_model_is_scored_at_the_length_that_it_was_tuned_at(bertsmith, model, tmp_path):
    """The labels are in the last words, which the shorter length cuts off."""
    rows = [(f"{' '.join(WORDS[:8])} {WORDS[8 + i % 2]}", i % 2) for i in range(24)]
    data = write_glue(tmp_path / "data", ("sentence", "label"), rows)
    options = [*QUICK, "--set", "training.learning_rate=1e-2", "--set", "max_seq_length=8"]
    run = tmp_path / "run"
    assert (
        bertsmith("finetune", "sst2", "--model", model, "--data", data, "-o", run, *options)[0] == 0
    )

    def predictions(*further):
        path = tmp_path / f"{len(further)}.jsonl"
        evaluate = ("evaluate", "sst2", "--model", run, "--data", data, "--predictions", path)
        code, _, err = bertsmith(*evaluate, *further)
        assert code == 0, err
        return path.read_text()

    own = predictions()
    assert own == predictions("--max-seq-length", "8")
    assert own != predictions("--max-seq-length", "64", "--overwrite")


def test_several_files_of_a_split_are_named(bertsmith, model, tuned, tmp_path):
    _, data = tuned
    shutil.copytree(data["sst2"], tmp_path / "data")
    (tmp_path / "data" / "train.tsv").rename(tmp_path / "data" / "train-v1.1.tsv")
    shutil.copy(tmp_path / "data" / "train-v1.1.tsv", tmp_path / "data" / "train-v2.0.tsv")
    tune = (
        "finetune",
        "sst2",
        "--model",
        model,
        "--data",
        tmp_path / "data",
        "-o",
        tmp_path / "run",
    )
    code, _, err = bertsmith(*tune, *QUICK)
    assert code == 0
    assert f"{tmp_path / 'data'}: train is read from train-v1.1.tsv, train-v2.0.tsv\n" in err


def test_a_model_that_reads_from_left_to_right_is_not_tuned_at_its_cls(
    bertsmith, store, tuned, tmp_path
):
    _, data = tuned
    causal = (*FAST, "--set", "training.num_steps=2", "--set", "model.attention=causal",
              "--set", "examples.next_sentence=false")  # fmt: skip
    first, second = tmp_path / "causal", tmp_path / "run"
    assert bertsmith("pretrain", store, "--recipe", "tiny", "-o", first, *causal)[0] == 0
    tune = ("finetune", "sst2", "--model", first, "--data", data["sst2"], "-o", second)
    code, _, err = bertsmith(*tune, *QUICK)
    assert (code, err.count("\n")) == (2, 1)
    assert "reads from left to right, so its [CLS] sees nothing of a text" in err
    assert not second.exists()
