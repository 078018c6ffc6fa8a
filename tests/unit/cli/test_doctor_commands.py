"""`bertsmith doctor`: text, JSON, a page, exit codes, and mistakes in one line."""

import json
import os
import re

import pytest

from doctor_corpora import CORPUS_DEFECTS, sound
from doctor_stores import STORE_DEFECTS


@pytest.fixture
def bad(tmp_path):
    return CORPUS_DEFECTS["stray_blank_lines"](tmp_path)


def test_corpus_as_text(bertsmith, bad):
    code, out, _ = bertsmith("doctor", "corpus", bad, "--examples", "1")
    assert code == 0
    assert "PROBLEM: 100 % of the documents in .txt files are a single line" in out
    line = f"bertsmith doctor mend {bad} --fault one_document -o parts.jsonl --text-form document"
    assert f"    {line} && bertsmith doctor corpus parts.jsonl\n" in out
    assert f"({bad}:1)" in out
    assert f"({bad}:3)" not in out
    assert out.rstrip().splitlines()[-1] == "4 problems, 0 warnings, 0 notes"
    assert "\x1b" not in out


def test_corpus_as_json(bertsmith, bad):
    code, out, _ = bertsmith("doctor", "corpus", bad, "--json")
    assert code == 0
    found = json.loads(out)
    assert found["facts"]["num_documents"] == 300
    assert found["histograms"]["document_sentences"]["counts"] == [300]
    finding = next(each for each in found["findings"] if each["name"] == "stray_blank_lines")
    assert finding["severity"] == "problem"
    assert finding["value"] == 1.0 > finding["threshold"]
    assert finding["examples"][0]["where"] == f"{bad}:1"


def test_strict_ends_with_3(bertsmith, bad, tmp_path):
    assert bertsmith("doctor", "corpus", bad, "--strict")[0] == 3
    folder = tmp_path / "sound"
    folder.mkdir()
    path = sound(folder, number=2500)  # 150,000 words: a warning
    code, out, _ = bertsmith("doctor", "corpus", path, "--strict")
    assert code == 0
    assert "WARNING: there are" in out


def test_a_page_is_whole_and_safe(bertsmith, tmp_path):
    path = CORPUS_DEFECTS["markup"](tmp_path)
    code, out, _ = bertsmith("doctor", "corpus", path, "--html", tmp_path / "page.html")
    assert code == 0
    assert "page.html: open it in a browser" in out
    page = (tmp_path / "page.html").read_text()
    assert page.count("<svg") == 2
    assert "little_text" in page
    # What stands in the text is shown, not run; and nothing is fetched.
    assert "&lt;p&gt;" in page
    assert not re.search(r"<script|<link|src=|@import", page)


def test_vocab(bertsmith, corpus, vocab, tmp_path):
    code, out, _ = bertsmith("doctor", "vocab", vocab, "--corpus", corpus, "--json")
    assert code == 0
    found = json.loads(out)
    assert found["kind"] == "vocab"
    assert found["facts"]["unknown_rate"] == 0
    code, out, _ = bertsmith(
        "doctor", "vocab", vocab, "--corpus", corpus, "--cased", "--html", tmp_path / "page.html"
    )
    assert code == 0
    assert "text is read" in out
    assert "with case" in out
    assert (tmp_path / "page.html").read_text().count("<svg") == 2


def test_a_page_shows_code_and_keeps_names_apart(bertsmith, tmp_path):
    path = CORPUS_DEFECTS["not_utf8"](tmp_path)
    assert bertsmith("doctor", "corpus", path, "--html", tmp_path / "page.html")[0] == 0
    page = (tmp_path / "page.html").read_text()
    assert "<code>prepare</code> and <code>vocab</code> stop there" in page
    assert "`" not in page
    assert re.search(r"\.notice \.name \{[^}]*float: right;[^}]*margin: [^}]* 16px", page)


def test_how_often_an_entry_occurs_is_no_length(bertsmith, corpus, vocab):
    _, out, _ = bertsmith("doctor", "vocab", vocab, "--corpus", corpus)
    (line,) = [line for line in out.splitlines() if "occurrences an entry" in line]
    assert ", most " in line
    assert "longest" not in line


def test_a_store_has_as_many_examples_as_asked_for(bertsmith, tmp_path):
    store = STORE_DEFECTS["casing"](tmp_path)
    for number in (1, 5):
        code, out, _ = bertsmith("doctor", "store", store, "--examples", number, "--json")
        assert code == 0
        (casing,) = [f for f in json.loads(out)["findings"] if f["name"] == "casing"]
        assert len(casing["examples"]) == number


def test_store(bertsmith, store, tmp_path):
    code, out, _ = bertsmith("doctor", "store", store, "--html", tmp_path / "page.html")
    assert code == 0
    assert "unigram loss" in out
    assert "[little_text]" in out
    assert (tmp_path / "page.html").read_text().count("<svg") == 4
    assert json.loads(bertsmith("doctor", "store", store, "--json")[1])["kind"] == "store"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["corpus", "nowhere.txt"], "nowhere.txt: cannot be opened (No such file or directory)"),
        (["corpus", "{corpus}", "--sample", "much"], "--sample much: is no size; write 50MB"),
        (["corpus", "{corpus}", "--vocab", "no.txt"], "no.txt"),
        (["corpus", "{corpus}", "--language", "english"], "did you mean en"),
        (["vocab", "no.txt", "--corpus", "{corpus}"], "no.txt"),
        (["store", "nowhere"], "nowhere: does not exist; make one with `bertsmith prepare`"),
    ],
)
def test_mistakes_are_told_in_one_line(bertsmith, corpus, arguments, message):
    code, out, error = bertsmith("doctor", *(a.format(corpus=corpus) for a in arguments))
    assert code == 2
    assert out == ""
    assert message in error
    assert error.count("\n") == 1


def test_help_names_them_all(bertsmith):
    code, out, _ = bertsmith("doctor", "--help")
    assert code == 0
    for name in ("corpus", "mend", "vocab", "store", "run"):
        assert f"bertsmith doctor {name}: " in out


def test_a_page_about_a_file_whose_name_is_not_utf_8(bertsmith, tmp_path):
    path = sound(tmp_path).rename(tmp_path / os.fsdecode(b"caf\xe9.jsonl"))
    page = tmp_path / "page.html"
    assert bertsmith("doctor", "corpus", path, "--html", page)[0] == 0
    assert r"caf\udce9.jsonl" in page.read_text()
