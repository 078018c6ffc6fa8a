"""`bertsmith doctor`: text, JSON, a page, exit codes, and mistakes in one line."""

import json
import os
import re

import pytest

from doctor_corpora import CORPUS_DEFECTS, sound


@pytest.fixture
def bad(tmp_path):
    return CORPUS_DEFECTS["stray_blank_lines"](tmp_path)


def test_corpus_as_text(bertsmith, bad):
    code, out, _ = bertsmith("doctor", "corpus", bad, "--examples", "1")
    assert code == 0
    assert "PROBLEM: 100 % of the documents in .txt files are a single line" in out
    assert f"    bertsmith prepare {bad} --vocab vocab.txt -o store --text-form document\n" in out
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


def test_help_names_the_four(bertsmith):
    code, out, _ = bertsmith("doctor", "--help")
    assert code == 0
    for name in ("doctor corpus", "doctor vocab", "doctor store", "doctor run"):
        assert name in out


def test_a_page_about_a_file_whose_name_is_not_utf_8(bertsmith, tmp_path):
    path = sound(tmp_path).rename(tmp_path / os.fsdecode(b"caf\xe9.jsonl"))
    page = tmp_path / "page.html"
    assert bertsmith("doctor", "corpus", path, "--html", page)[0] == 0
    assert r"caf\udce9.jsonl" in page.read_text()
