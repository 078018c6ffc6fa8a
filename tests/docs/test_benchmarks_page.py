"""The table of the docs is the one of the recorded figures."""

import argparse
import json
import sys

import pytest

from docs_pages import ROOT, read

sys.path.insert(0, str(ROOT))
from benchmarks import figures
from benchmarks.figures import Figure, save_results
from benchmarks.to_markdown import (
    NOT_MEASURED,
    PAGE,
    TABLES,
    fill,
    read_results,
    to_markdown,
)

MACHINE = {"processor": "", "cores": 2, "memory_GiB": 24}


@pytest.fixture
def results(tmp_path):
    path = tmp_path / "data.json"
    rows = [
        Figure("ids, English", 12.3, "MB/s", 10, details={"runs": [12.2, 12.3]}),
        Figure("ids, English", 12.3, "MB/s", 4, reference=4.1, reference_name="a | b"),
        Figure("memory", 1.2, "GB", 1, bound="at most"),
    ]
    save_results(path, [rows[0], rows[2]])
    measured = json.loads(path.read_text())
    save_results(path, [Figure("with reference", *list(vars(rows[1]).values())[1:])])
    measured["figures"] += json.loads(path.read_text())["figures"][2:]
    return measured


def test_a_row_a_figure(results):
    lines = to_markdown(results).splitlines()
    assert lines[0] == "| name | ours | reference | ratio | floor | verdict |"
    assert lines[2] == "| ids, English | 12.3 MB/s |  |  | ≥ 10 MB/s | ok |"
    assert lines[3] == "| memory | 1.2 GB |  |  | ≤ 1 GB | SHORT |"
    assert lines[4] == "| with reference | 12.3 MB/s | 4.1 (a \\| b) | 3.00 × | ≥ 4 × | SHORT |"
    assert results["versions"]["python"] in lines[-1]


def test_what_stays_of_another_machine_is_told_apart(tmp_path, monkeypatch):
    path = tmp_path / "data.json"
    for machine in ("first", "second", "second"):
        monkeypatch.setattr(figures, "_machine", lambda name=machine: MACHINE | {"processor": name})
        save_results(
            path, [Figure(f"on the {machine}", 1, "s", 1), Figure("on the last", 1, "", 1)]
        )
    first, second = to_markdown(json.loads(path.read_text())).split("\n\n| name")
    assert "on the first" in first
    assert "first, 2 cores" in first
    assert "on the second" in second
    assert "on the last" in second
    assert "second, 2 cores" in second
    assert sum("machine" in figure for figure in json.loads(path.read_text())["figures"]) == 1


def test_results_go_anywhere_but_over_something_else(tmp_path):
    path = figures.results_path(str(tmp_path / "new" / "deep" / "gpu.json"))
    assert not path.exists()
    save_results(path, [Figure("ids", 1, "s", 1)])
    assert figures.results_path(str(path)) == path
    empty = tmp_path / "empty"
    empty.touch()
    save_results(figures.results_path(str(empty)), [Figure("ids", 1, "s", 1)])
    assert read_names(empty) == ["ids"]
    other = tmp_path / "notes.txt"
    for text in ("words", "[]", "{}"):
        other.write_text(text)
        with pytest.raises(argparse.ArgumentTypeError, match="something else"):
            figures.results_path(str(other))
    for wrong in (tmp_path, other / "below"):
        with pytest.raises(argparse.ArgumentTypeError, match=str(wrong)):
            figures.results_path(str(wrong))


def read_names(path):
    return [figure["name"] for figure in json.loads(path.read_text())["figures"]]


def test_filling_twice_changes_nothing(results):
    once = fill(read(PAGE), "data", results)
    assert fill(once, "data", results) == once
    assert NOT_MEASURED in fill(once, "data", None)


def test_marks_must_be_there():
    with pytest.raises(ValueError, match="needs the marks"):
        fill("# Benchmarks\n", "data", None)


@pytest.mark.parametrize("name", TABLES)
def test_the_page_agrees_with_what_was_measured(name):
    page = read(PAGE)
    assert fill(page, name, read_results(name)) == page, "run python -m benchmarks.to_markdown"
