"""Whole-word masking of a Chinese store that holds no words is told, and mended by the command."""

import shlex

import pytest

from bertsmith.wordpiece import SPECIAL_TOKENS, Vocabulary
from cli_runs import FAST
from doctor_corpora import CHINESE, CORPUS_DEFECTS

TOLD = "bertsmith: whole_word_masking masks single characters here: 97% of the tokens are Chinese"
WORDS = ("--set", "examples.whole_word_masking=true")


@pytest.fixture
def chinese(bertsmith, tmp_path):
    """A store in the folder `store`, and the text that it was made of."""
    text = CORPUS_DEFECTS["wrong_script"](tmp_path)
    Vocabulary([*SPECIAL_TOKENS, *sorted(set(CHINESE)), "。"]).save(tmp_path / "vocab.txt")
    arguments = ("--vocab", tmp_path / "vocab.txt", "-o", tmp_path / "store", "--language", "zh")
    assert bertsmith("prepare", text, *arguments)[0] == 0
    return tmp_path / "store", text


def test_pretraining_tells_it_and_its_command_mends_it(bertsmith, chinese, tmp_path, monkeypatch):
    store, text = chinese
    monkeypatch.chdir(tmp_path)

    def pretrain(folder, *changes):
        run = ("-o", tmp_path / f"run {folder.name} {len(changes)}", *FAST)
        arguments = ("--recipe", "tiny", *run, "--set", "training.num_steps=2", *changes)
        code, _, told = bertsmith("pretrain", folder, *arguments)
        assert code == 0
        return told

    told = pretrain(store, *WORDS)
    assert told.startswith(TOLD)
    assert told.count("\n") == 1
    assert pretrain(store) == ""
    command = told.split("`")[1]
    words = [str(text) if word == "CORPUS" else word for word in shlex.split(command)[1:]]
    assert bertsmith(*words)[0] == 0
    assert pretrain(tmp_path / "new_store", *WORDS) == ""


def test_exporting_examples_tells_it(bertsmith, chinese, tmp_path):
    store, _ = chinese
    export = ("examples", store, "-o", tmp_path / "a.parquet", "--overwrite")
    code, _, told = bertsmith(*export, "--set", "whole_word_masking=true")
    assert code == 0
    assert told.startswith(TOLD)
    assert bertsmith(*export)[2] == ""


def test_showing_examples_tells_it(bertsmith, chinese):
    store, _ = chinese
    code, _, told = bertsmith("store", "sample", store, "--set", "whole_word_masking=true")
    assert code == 0
    assert told.startswith(TOLD)
    assert bertsmith("store", "sample", store)[2] == ""
