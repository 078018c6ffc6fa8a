"""The main job on real text: from Wikipedia to fine-tuned models, as a user types it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import transformers

pytestmark = [
    pytest.mark.slow,
    pytest.mark.whole_machine,
    pytest.mark.skipif("BERTSMITH_DATA" not in os.environ, reason="BERTSMITH_DATA is not set"),
]


def bertsmith(*arguments):
    command = [sys.executable, "-m", "bertsmith", *map(str, arguments)]
    # The tests' own single thread is for many small tests; a user has the whole machine.
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    result = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def data():
    return Path(os.environ["BERTSMITH_DATA"])


@pytest.fixture(scope="module")
def run(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("real")
    corpus = data / "pretrain" / "wiki_en.jsonl.zst"
    bertsmith("vocab", corpus, "-o", folder / "vocab.txt", "--size", 16384)
    bertsmith("prepare", corpus, "--vocab", folder / "vocab.txt", "-o", folder / "store")
    # By steps, not by the clock, with which a slow machine learns nothing: 20 s to two minutes.
    result = bertsmith(
        "pretrain", folder / "store", "--recipe", "tiny", "-o", folder / "run", "--json",
        "--set", "training.num_steps=400", "--set", "training.num_evaluations=1",
    )  # fmt: skip
    return folder / "run", json.loads(result)


def test_pretraining_beats_the_unigram_baseline(run):
    scores = run[1]
    assert scores["mlm_accuracy"] > 1.5 * scores["unigram_accuracy"]


def test_transformers_opens_the_run(run):
    model = transformers.AutoModelForPreTraining.from_pretrained(run[0])
    assert model.config.vocab_size == 16384


def test_fill_mask(run):
    out = bertsmith(
        "predict", "fill-mask", "--model", run[0], "the city is the capital of [MASK] ."
    )
    assert len(out.splitlines()) == 6


def test_sst2(run, data, tmp_path):
    out = bertsmith(
        "finetune", "sst2", "--model", run[0], "--data", data / "finetune/glue/SST-2",
        "-o", tmp_path / "sst2", "--set", "training.num_epochs=1", "--json",
    )  # fmt: skip
    # Always answering the more frequent class gives 0.51.
    assert json.loads(out)["scores"]["accuracy"] > 0.7


def test_ner(run, data, tmp_path):
    out = bertsmith(
        "finetune", "ner", "--model", run[0], "--data", data / "finetune/conll2003",
        "-o", tmp_path / "ner", "--set", "training.num_epochs=1", "--json",
    )  # fmt: skip
    assert json.loads(out)["scores"]["f1"] > 0.2
