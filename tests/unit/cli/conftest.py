"""A corpus, a vocabulary, a store and a model of seconds, made by the commands themselves."""

import json
import random
import shutil
from pathlib import Path

import pytest

from cli_runs import FAST, run, sentence
from faulty_runs import arguments
from tuned_runs import QUICK, SENTENCES, write_glue


@pytest.fixture
def bertsmith(capsys):
    """Runs a command; returns (exit code, standard output, standard error)."""

    def call(*arguments):
        code = run(*arguments)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


@pytest.fixture(scope="session")
def corpus(tmp_path_factory) -> Path:
    """60 documents of 6 sentences, in Google's form."""
    rng = random.Random(7)
    path = tmp_path_factory.mktemp("corpus") / "corpus.txt"
    documents = ["\n".join(sentence(rng) for _ in range(6)) for _ in range(60)]
    path.write_text("\n\n".join(documents) + "\n")
    return path


@pytest.fixture(scope="session")
def vocab(corpus, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("vocab") / "vocab.txt"
    assert run("vocab", corpus, "-o", path, "--size", "160") == 0
    return path


@pytest.fixture(scope="session")
def store(corpus, vocab, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("store") / "store"
    assert run("prepare", corpus, "--vocab", vocab, "-o", path, "--workers", "1") == 0
    return path


@pytest.fixture(scope="session")
def model(store, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("model") / "run"
    code = run(
        "pretrain", store, "--recipe", "tiny", "-o", path, *FAST, "--set", "training.num_steps=12"
    )
    assert code == 0
    return path


@pytest.fixture(scope="session")
def finished(store, tmp_path_factory):
    """A run of 8 steps, with the checkpoints of its last two."""
    path = tmp_path_factory.mktemp("finished") / "run"
    assert run(*arguments(store, path)) == 0
    return path


@pytest.fixture
def stopped(finished, tmp_path):
    """The same run, as if the machine had gone down after step 8."""
    path = tmp_path / "run"
    shutil.copytree(finished, path, symlinks=True)
    log = (path / "metrics.jsonl").read_text().splitlines(keepends=True)
    assert json.loads(log[-1])["kind"] == "end"
    (path / "metrics.jsonl").write_text("".join(log[:-1]))
    for name in ("config.json", "model.safetensors", "vocab.txt", ".model.json"):
        (path / name).unlink()
    return path


@pytest.fixture(scope="session")
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
