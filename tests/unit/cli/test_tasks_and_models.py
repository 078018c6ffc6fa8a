"""Fine-tuned models on data of other tasks, data with gaps, and files as a task has them."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from bertsmith.inference.pipelines.answer import Answer
from cli_runs import FAST, WORDS, run

QUICK = (
    "--set", "training.num_epochs=1", "--set", "training.precision=fp32",
    "--set", "training.global_batch_size=8", "--set", "training.micro_batch_size=8",
)  # fmt: skip
SENTENCES = [f"the {one} {other} ." for one in WORDS[:6] for other in WORDS[6:12]]


def write_glue(folder, header, rows):
    folder.mkdir(exist_ok=True)
    for name, lines in (("train", rows), ("dev", rows[:12])):
        text = "".join("\t".join(map(str, line)) + "\n" for line in (header, *lines))
        (folder / f"{name}.tsv").write_text(text)
    return folder


@pytest.fixture(scope="module")
def tuned(model, tmp_path_factory):
    """A run of classes, one of numbers, and the data of both."""
    folder = tmp_path_factory.mktemp("tuned")
    classes = [(text, index % 2) for index, text in enumerate(SENTENCES)]
    data = {"sst2": write_glue(folder / "classes", ("sentence", "label"), classes)}
    header = ("sentence1", "sentence2", "score")
    numbers = [(text, text, index % 5) for index, text in enumerate(SENTENCES)]
    data["stsb"] = write_glue(folder / "numbers", header, numbers)
    for task, path in data.items():
        command = ("finetune", task, "--model", model, "--data", path, "-o", folder / task, *QUICK)
        assert run(*command) == 0
    return folder, data


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


def test_a_task_s_own_files_are_predicted(bertsmith, tuned, tmp_path):
    """A test file of GLUE has no column called text."""
    folder, _ = tuned
    path = tmp_path / "test.tsv"
    path.write_text("index\tsentence\n0\tthe red river\n1\tthe old city\n")
    code, out, err = bertsmith(
        "predict", "classify", "--model", folder / "sst2", "--input", path, "--json"
    )
    assert code == 0, err
    assert [json.loads(line)["text"] for line in out.splitlines()] == [
        "the red river",
        "the old city",
    ]
    path.write_text("question\tcontext\nwho\tAnn\n")  # another task's columns stay what they are
    code, _, err = bertsmith("predict", "classify", "--model", folder / "sst2", "--input", path)
    assert code == 2
    # What is called text is the text.
    path.write_text("sentence\ttext\nno\tyes\n")
    _, out, _ = bertsmith(
        "predict", "classify", "--model", folder / "sst2", "--input", path, "--json"
    )
    assert json.loads(out)["text"] == "yes"


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


def test_predictions_of_a_test_set_without_labels_are_kept(bertsmith, tuned, tmp_path):
    folder, data = tuned
    shutil.copytree(data["sst2"], tmp_path / "data")
    (tmp_path / "data" / "test.tsv").write_text("index\tsentence\n0\tthe red .\n1\tthe old .\n")
    path = tmp_path / "predictions.jsonl"
    evaluate = (
        "evaluate",
        "sst2",
        "--model",
        folder / "sst2",
        "--data",
        tmp_path / "data",
        "--split",
        "test",
    )
    code, out, err = bertsmith(*evaluate, "--predictions", path)
    assert (code, out) == (0, "")
    assert (
        f"has no label to score against; give labelled data; the predictions are written to {path}"
        in err
    )
    assert len(path.read_text().splitlines()) == 2
    assert bertsmith(*evaluate)[0] == 2


def test_half_a_character_comes_out_as_it_came_in(bertsmith, tuned, tmp_path):
    folder, _ = tuned
    (tmp_path / "texts.jsonl").write_text('{"text": "the red \\ud83d"}\n')
    path = tmp_path / "out.jsonl"
    predict = (
        "predict",
        "classify",
        "--model",
        folder / "sst2",
        "--input",
        tmp_path / "texts.jsonl",
    )
    code, _, err = bertsmith(*predict, "-o", path)
    assert (code, err) == (0, "")
    assert json.loads(path.read_text())["text"] == "the red \ud83d"
    command = [sys.executable, "-m", "bertsmith", *map(str, predict), "--json"]
    for encoding in ("utf-8:surrogateescape", "ascii:surrogateescape"):  # as under LANG=C
        shown = subprocess.run(
            command,
            env={**os.environ, "PYTHONIOENCODING": encoding},
            check=True,
            capture_output=True,
        )
        assert json.loads(shown.stdout)["text"] == "the red \ud83d"


def test_vectors_of_texts_are_written_where_a_strategy_is_given(bertsmith, tuned, tmp_path):
    folder, _ = tuned
    predict = ("predict", "embed", "the red .", "--model", folder / "sst2", "--strategy", "mean")
    code, _, err = bertsmith(*predict, "-o", tmp_path / "vectors.jsonl")
    assert (code, err) == (0, "")
    (line,) = (tmp_path / "vectors.jsonl").read_text().splitlines()
    assert len(json.loads(line)["result"]) == 32
    code, _, err = bertsmith(*predict, "-o", tmp_path / "vectors.npz")
    assert (code, "name it .jsonl" in err) == (2, True)
    code, _, err = bertsmith(*predict, "--layers", "-1", "-o", tmp_path / "states.jsonl")
    assert (code, "--strategy and --layers" in err) == (2, True)


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


def test_a_model_of_pairs_is_not_given_single_texts(bertsmith, tuned, tmp_path):
    """It would have an answer for those as well."""
    folder, _ = tuned
    (tmp_path / "texts.txt").write_text("the red .\n")
    (tmp_path / "rows.tsv").write_text("text\ttext_b\nthe red .\tthe old .\n")
    predict = ("predict", "classify", "--model", folder / "stsb")
    assert bertsmith(*predict, "the red .", "the old .")[0] == 0
    for given in (
        ["the red ."],
        ["--input", tmp_path / "texts.txt"],
        ["--input", tmp_path / "rows.tsv"],
    ):
        code, out, err = bertsmith(*predict, *given)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert "is one text, and" in err
        assert "was fine-tuned on pairs, for stsb; give two texts" in err


def test_no_answer_can_be_one(bertsmith, model, tmp_path):
    context = "the red cat sat near the old river ."
    rows = [{"question": "who ?", "context": context, "answer": "red cat"}] * 8
    for name in ("train", "dev"):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    run = tmp_path / "run"
    tune = ("finetune", "answer", "--model", model, "--data", tmp_path, "-o", run, *QUICK)
    code, _, err = bertsmith(*tune, "--set", "max_seq_length=48")
    assert code == 0, err

    def answer(*options):
        predict = ("predict", "answer", "who ?", context, "--model", run, "--json", *options)
        code, out, err = bertsmith(*predict)
        assert code == 0, err
        return json.loads(out)["result"][0]["answer"]

    assert answer() in context
    assert answer()
    assert answer("--null-threshold", "-1000") == ""
    assert answer("--null-threshold", "1000") == answer()
    # Windows are as long as in fine-tuning, as `evaluate` has them.
    told = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Answer, "__post_init__", lambda self: told.append(self.max_seq_length))
        answer()
    assert told == [48]
