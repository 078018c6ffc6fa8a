"""A corpus, a vocabulary, a store and a model of seconds, made by the commands themselves."""

import random
from pathlib import Path

import pytest

from cli_runs import FAST, run, sentence


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
