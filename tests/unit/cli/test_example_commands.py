"""`bertsmith examples` and `bertsmith store sample`, as commands of their own."""

import json
import os
import subprocess
import sys

import pyarrow.parquet as pq
import pytest
import typer
from typer.testing import CliRunner

from bertsmith.cli import examples, store_sample
from bertsmith.cli.example_settings import example_settings
from bertsmith.errors import BertsmithError, InputError, RecipeError


def invoke(module, *arguments):
    """Standard output of a command; what it raises is raised."""
    app = typer.Typer()
    app.command()(module.command)
    result = CliRunner().invoke(app, list(map(str, arguments)), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_examples(store, tmp_path):
    path = tmp_path / "examples.parquet"
    arguments = (store, "-o", path, "--length", 32, "--epochs", 2, "--seed", 4)
    arguments += ("--set", "whole_word_masking=true", "--set", "examples.masked_lm_prob=0.3")
    out = invoke(examples, *arguments)
    rows = pq.read_table(path).num_rows
    assert f"{path}: {rows:,} examples" in out
    told = json.loads(pq.read_schema(path).metadata[b"bertsmith"])
    assert told["settings"]["max_seq_length"] == 32
    assert told["settings"]["whole_word_masking"] is True
    assert told["settings"]["masked_lm_prob"] == 0.3
    assert (told["seed"], told["epochs"]) == (4, 2)
    with pytest.raises(RecipeError, match=r"is there already; give --overwrite"):
        invoke(examples, *arguments)
    summary = json.loads(invoke(examples, *arguments, "--overwrite", "--json"))
    assert summary["num_examples"] == rows
    assert summary["path"] == str(path)


def test_store_sample(store):
    out = invoke(store_sample, store, "--number", 3, "--index", 2, "--length", 32)
    assert [line.split(" of ")[0] for line in out.splitlines() if line.startswith("example")] == [
        "example 2",
        "example 3",
        "example 4",
    ]
    assert "→[MASK]]" in out
    assert out.count("\n  A  ") == out.count("\n  B  ") == out.count("\n  label ") == 3
    samples = json.loads(invoke(store_sample, store, "--number", 3, "--index", 2, "--json"))
    assert [sample["number"] for sample in samples] == [2, 3, 4]
    shorter = ("--number", 3, "--index", 2, "--set", "max_seq_length=32", "--json")
    assert json.loads(invoke(store_sample, store, *shorter)) == json.loads(
        invoke(store_sample, store, *shorter, "--length", 32)
    )
    out = invoke(store_sample, store, "--set", "next_sentence=false")
    assert "  B  " not in out
    assert "label" not in out


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        (("--index", 10**6), InputError, "there is no example 1000000 in an epoch of"),
        (
            ("--length", 64, "--set", "examples.max_seq_length=32"),
            RecipeError,
            "--length 64: contradicts max_seq_length=32; give one of the two",
        ),
        (("--length", 4), RecipeError, "max_seq_length = 4: Input should be greater than"),
        (("--set", "whole_word=true"), RecipeError, "did you mean whole_word_masking?"),
        (("--set", "masked_lm_prob=0"), RecipeError, "masked_lm_prob = 0: Input should be"),
        (
            ("--set", "model.attention=causal"),
            RecipeError,
            "--set model.attention=causal: is a setting of a run, which makes no difference to",
        ),
        (
            ("--set", "pair_labels=order", "--set", "next_sentence=false"),
            RecipeError,
            "pair_labels=order needs next_sentence=true",
        ),
        (
            ("--set", "mask_token_prob=0.8", "--set", "random_token_prob=0.3"),
            RecipeError,
            "mask_token_prob + random_token_prob is over 1",
        ),
    ],
)
def test_what_cannot_be_is_told_in_one_line(store, arguments, kind, message):
    with pytest.raises(BertsmithError) as caught:
        invoke(store_sample, store, *arguments)
    assert type(caught.value) is kind
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_every_setting_is_shown_in_help():
    for module in (examples, store_sample):
        for name in type(example_settings(128, [])).model_fields:
            assert name in module.epilog()


def test_a_terminal_that_lacks_characters_shows_them_by_number(store):
    command = [sys.executable, "-m", "bertsmith", "store", "sample", str(store), "--number", "1"]
    environment = {**os.environ, "PYTHONIOENCODING": "latin-1"}
    done = subprocess.run(command, capture_output=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    assert rb"\u2192[MASK]]" in done.stdout
