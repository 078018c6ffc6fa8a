"""Command lines that can't be meant: one line says why, and nothing is made."""

import pytest

from cli_runs import complains


@pytest.mark.parametrize(
    ("command", "name"),
    [
        (["pretrain", "store", "-o", ""], "--output"),
        (["pretrain", "store", "--output="], "--output"),
        (["pretrain", "", "-o", "run"], "STORE"),
        (["pretrain", "store", "-o", "run", "--init", ""], "--init"),
        (["pretrain", "store", "-o", "run", "--recipe="], "--recipe"),
        (["finetune", "classify", "--model", "", "--data", "data", "-o", "run"], "--model"),
        (["report", "run", ""], "RUNS"),
        (["doctor", "run", ""], "RUN"),
        (["pretrain", ".", "-o", "", "--set", ""], "--output"),
    ],
)
def test_an_empty_name_is_not_the_folder_one_is_in(bertsmith, tmp_path, monkeypatch, command, name):
    monkeypatch.chdir(tmp_path)
    complains(bertsmith(*command), f"{name} is empty", "a shell variable")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["vocab", "a.txt", "--sise", "9"], "No such option: --sise (Possible options: "),
        (["vocab", "a.txt", "-o", "v", "--size", "z"], "Invalid value for '--size': "),
        (["prepare", "a.txt", "--vocab"], "Option '--vocab' requires an argument"),
        (["vocab", "extend", "a.txt"], "Missing option '--vocab'; see `"),
        (["store", "inof"], "there is no store inof: store info, store verify"),
        (["prepaer"], "No such command 'prepaer'"),
        (["--nope"], "No such option: --nope"),
    ],
)
def test_a_mistyped_command_line(bertsmith, arguments, line):
    code, out, told = bertsmith(*arguments)
    assert (code, out, told.count("\n")) == (2, "", 1)
    assert told.startswith(f"bertsmith: {line}")
