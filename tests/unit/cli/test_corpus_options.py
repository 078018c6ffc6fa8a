"""The options about reading and cleaning a corpus: seen whole, and none without an effect."""

import pytest

from cli_runs import run
from docs_pages import commands, option_names


@pytest.fixture
def prepare(bertsmith, corpus, vocab, tmp_path):
    """What `bertsmith prepare` says of options that it refuses."""

    def call(*options):
        code, out, told = bertsmith(
            "prepare", corpus, "--vocab", vocab, "-o", tmp_path / "s", *options
        )
        assert (code, out) == (2, "")
        assert not (tmp_path / "s").exists()
        return told.removeprefix("bertsmith: ")

    return call


@pytest.mark.parametrize("command", commands())
def test_names_are_whole_on_a_terminal_of_80_columns(command, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    assert run(*command.split(), "--help") == 0
    shown = capsys.readouterr().out.replace(",", " ").split()
    assert option_names(commands()[command]) <= {*shown}


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (
            ("--near-duplicate-similarity", 0.9),
            "--near-duplicate-similarity: goes with --duplicates near alone; give both or neither",
        ),
        (
            ("--near-duplicate-similarity", 0.8, "--clean"),
            "--near-duplicate-similarity: goes with --duplicates near alone; give both or neither",
        ),
        (
            ("--boilerplate-min-bytes", 9),
            "--boilerplate-min-bytes: goes with --boilerplate-documents alone; give both or "
            "neither",
        ),
        (
            ("--drop-control-characters", "--keep-control-characters"),
            "--drop-control-characters: contradicts --keep-control-characters; give one of the two",
        ),
        (
            ("--only-language", "english"),
            "--only-language: 'english': is no language code; did you mean en?",
        ),
        (
            ("--only-language", "a.b"),
            "--only-language: 'a.b': is no language code; give one such as en, de or zh",
        ),
    ],
)
def test_what_would_do_nothing_or_cannot_be(prepare, options, told):
    assert prepare(*options) == told + "\n"


def test_a_language_that_nobody_tells_apart_is_answered_with_those_that_are(prepare):
    told = prepare("--only-language", "xx")
    assert told.startswith("--only-language: no language that can be told apart has the code 'xx'")
    assert {"de", "en", "zh"} <= {*told.partition("give one of")[2].split()}


def test_what_goes_together(bertsmith, corpus, vocab, tmp_path):
    near = ("--duplicates", "near", "--near-duplicate-similarity", 0.9)
    lines = ("--clean", "--boilerplate-min-bytes", 9, "--keep-control-characters")
    for number, options in enumerate((near, lines, ("--drop-control-characters",))):
        arguments = ("--vocab", vocab, "-o", tmp_path / str(number), *options)
        assert bertsmith("prepare", corpus, *arguments)[0] == 0
    _, out, _ = bertsmith("store", "info", tmp_path / "1")
    assert "cleaned with boilerplate_min_bytes  9" in out
    assert "control_characters" not in out
    _, out, _ = bertsmith("store", "info", tmp_path / "2")
    assert "cleaned with control_characters  True" in out


def test_the_doctor_looks_for_what_is_nearly_equal_unasked(bertsmith, corpus):
    code, out, told = bertsmith("doctor", "corpus", corpus, "--near-duplicate-similarity", 0.6)
    assert (code, told) == (0, "")
    # Its commands are for others, which refuse what would do nothing.
    prepares = [line for line in out.splitlines() if "bertsmith prepare" in line]
    assert prepares
    for line in prepares:
        assert ("near-duplicate-similarity" in line) == ("--duplicates near" in line)
