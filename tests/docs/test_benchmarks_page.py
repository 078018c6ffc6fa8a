"""The table of the docs is the one of the recorded figures."""

import json
import sys

import pytest

from docs_pages import ROOT, read

sys.path.insert(0, str(ROOT))
from benchmarks.figures import Figure, save_results
from benchmarks.to_markdown import (
    NOT_MEASURED,
    PAGE,
    TABLES,
    fill,
    read_results,
    to_markdown,
)


@pytest.fixture
def results(tmp_path):
    path = tmp_path / "data.json"
    figures = [
        Figure("ids, English", 12.3, "MB/s", 10, details={"runs": [12.2, 12.3]}),
        Figure("ids, English", 12.3, "MB/s", 4, reference=4.1, reference_name="a | b"),
        Figure("memory", 1.2, "GB", 1, bound="at most"),
    ]
    save_results(path, [figures[0], figures[2]])
    measured = json.loads(path.read_text())
    save_results(path, [Figure("with reference", *list(vars(figures[1]).values())[1:])])
    measured["figures"] += json.loads(path.read_text())["figures"][2:]
    return measured


def test_a_row_a_figure(results):
    lines = to_markdown(results).splitlines()
    assert lines[0] == "| name | ours | reference | ratio | floor | verdict |"
    assert lines[2] == "| ids, English | 12.3 MB/s |  |  | ≥ 10 MB/s | ok |"
    assert lines[3] == "| memory | 1.2 GB |  |  | ≤ 1 GB | SHORT |"
    assert lines[4] == "| with reference | 12.3 MB/s | 4.1 (a \\| b) | 3.00 × | ≥ 4 × | SHORT |"
    assert results["versions"]["python"] in lines[-1]


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
