"""Text is written anew without a fault, and with all the rest."""

import json

import pytest

from bertsmith.doctor import mend
from bertsmith.errors import CorpusError
from doctor_corpora import write_jsonl


def mended(folder, texts, fault, **settings):
    corpus = write_jsonl(folder, texts) if isinstance(texts, list) else texts
    number = mend(corpus, folder / "out.jsonl", fault, **settings)
    records = [json.loads(line) for line in (folder / "out.jsonl").read_text().splitlines()]
    assert len(records) == number
    return records


def test_tags_and_entities_are_taken_out(tmp_path):
    page = """<html><head><style>p { color: red; }</style></head><body><!-- no
text --><h1>Rain</h1><p class="a">It <b>rains</b> &amp; 1 &lt; 2.</p><script>if (a<b) {}</script>
<ul><li>One.</li><li>Two.</li></ul></body></html>"""
    (record,) = mended(tmp_path, [page, "<p> </p>"], "markup")
    assert record == {"title": "t0", "text": "Rain\nIt rains & 1 < 2.\nOne.\nTwo."}


def test_wiki_markup_is_taken_out_and_other_signs_stay(tmp_path):
    texts = ["It '''rains''' in [[Bergen|the town]].{{citation needed}}", "2 < 3 and a == b {c}"]
    records = mended(tmp_path, texts, "markup")
    assert [record["text"] for record in records] == ["It rains in the town.", texts[1]]


def test_garbled_text_is_read_back(tmp_path):
    (record,) = mended(tmp_path, ["CafÃ© in KÃ¶ln, naïve."], "mojibake")
    assert record["text"] == "Café in Köln, naïve."


def test_what_was_read_as_latin_1_is_read_back(tmp_path):
    texts = ["It – rains.".encode().decode("latin-1"), "don’t".encode("cp1252").decode("latin-1")]
    records = mended(tmp_path, texts, "mojibake")
    assert [record["text"] for record in records] == ["It – rains.", "don’t"]


def test_lines_are_joined_up_to_a_blank_one(tmp_path):
    (record,) = mended(tmp_path, ["It\nrains  a\nlot.\n \nThen it\nsnows."], "wrapped_lines")
    assert record["text"] == "It rains a lot.\nThen it snows."


def test_only_long_sentences_are_cut(tmp_path):
    long, other = " ".join(["word"] * 600), "It rains. It snows."
    (record,) = mended(tmp_path, [f"{other} {long}.\n{other}"], "long_sentences")
    lines = record["text"].splitlines()
    assert lines[:2] == ["It rains.", "It snows."]
    assert lines[-1] == other
    assert " ".join(lines[2:-1]) == f"{long}."
    assert all(400 < len(line) <= 500 for line in lines[2:-2])


def test_a_text_is_cut_between_lines(tmp_path):
    lines = [f"Line {number} is here." for number in range(1000)]
    records = mended(tmp_path, ["\n".join(lines)], "one_document")
    assert {record["title"] for record in records} == {"t0"}
    assert "\n".join(record["text"] for record in records).splitlines() == lines
    assert all(3000 <= len(record["text"]) < 4000 for record in records[:-1])


def test_every_format_is_read_by_its_settings(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("It\nrains.\n\nIt\nsnows.\n")
    (record,) = mended(tmp_path, path, "one_document", text_form="document")
    assert record == {"title": "a", "text": "It rains.\nIt snows."}


def test_a_file_is_never_replaced_and_a_fault_has_to_be_one(tmp_path):
    path = write_jsonl(tmp_path, ["It rains."])
    with pytest.raises(CorpusError, match="is there already; give another name"):
        mend(path, path, "markup")
    with pytest.raises(CorpusError, match="give one of mojibake, markup"):
        mend(path, tmp_path / "out.jsonl", "typos")
    with pytest.raises(CorpusError, match="no text is left"):
        mend(write_jsonl(tmp_path, [""]), tmp_path / "out.jsonl", "markup")
    assert not (tmp_path / "out.jsonl").exists()
