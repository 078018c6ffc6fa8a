"""What fine-tuned models are given to predict, what they refuse, and where it goes."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from bertsmith.inference.pipelines.answer import Answer
from tuned_runs import QUICK


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
