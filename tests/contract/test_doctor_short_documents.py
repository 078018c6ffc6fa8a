"""What is proposed for short documents fits the corpus, and never takes most of its text away."""

import json
import random
import shlex

import pytest

from bertsmith.corpus import CorpusSettings
from bertsmith.doctor import examine_corpus
from bertsmith.wordpiece import SPECIAL_TOKENS, Vocabulary
from cli_runs import run
from doctor_corpora import CHINESE, WORDS, documents, sentence, write_jsonl


def found_in(path, **settings):
    examination = examine_corpus([path], CorpusSettings(**settings))
    return {finding.name: finding for finding in examination.findings}


def options(finding):
    words = shlex.split(finding.command.split(" && ")[0])
    return words[words.index("store") + 1 :]


def names_after(capsys, path, *more):
    assert run("doctor", "corpus", path, *more, "--json") == 0
    return {finding["name"] for finding in json.loads(capsys.readouterr().out)["findings"]}


def stubs(folder, number, length, *, of=60):
    """A corpus of which some documents are a sentence of so many words."""
    rng = random.Random(1)
    texts = documents(rng, of)
    texts[:number] = [sentence(rng, least=length, most=length) for _ in range(number)]
    return write_jsonl(folder, texts)


@pytest.mark.parametrize(("length", "least"), [(4, 50), (9, 100), (18, 200)])
def test_a_few_stubs_are_dropped_at_the_least_length_that_mends_it(tmp_path, capsys, length, least):
    path = stubs(tmp_path, 12, length)
    finding = found_in(path)["one_sentence_documents"]
    assert options(finding) == ["--min-document-chars", str(least)]
    assert f"Drop documents under {least} characters, which are " in finding.remedy
    assert "one_sentence_documents" not in names_after(capsys, path, *options(finding))


@pytest.mark.parametrize("number", [50, 60])
def test_where_they_are_much_of_the_text_pairs_are_given_up(tmp_path, number):
    finding = found_in(stubs(tmp_path, number, 18))["one_sentence_documents"]
    assert finding.command.endswith(
        "-o store && bertsmith pretrain store --recipe tiny --budget 10m "
        "--set examples.next_sentence=false -o runs/first"
    )
    assert "--min-document-chars" not in finding.command


def test_long_sentences_alone_in_their_documents_are_kept(tmp_path):
    """No length tells them from the others."""
    finding = found_in(stubs(tmp_path, 12, 150))["one_sentence_documents"]
    assert "next_sentence=false" in finding.command


@pytest.mark.parametrize(("number", "joined"), [(5, True), (4, False)])
def test_lines_of_files_enough_are_joined(tmp_path, capsys, number, joined):
    rng = random.Random(1)
    for name in range(number):
        (tmp_path / f"{name}.txt").write_text("\n\n".join(sentence(rng) for _ in range(60)))
    finding = found_in(tmp_path)["one_sentence_documents"]
    assert ("--text-form document" in finding.command) == joined
    assert ("next_sentence=false" in finding.command) != joined
    if joined:
        left = names_after(capsys, tmp_path, "--text-form", "document")
        assert not left & {"one_sentence_documents", "stray_blank_lines", "one_document"}


def test_short_documents_are_dropped_where_they_are_little_of_the_text(tmp_path, capsys):
    rng = random.Random(1)
    texts = [*documents(rng), *(sentence(rng) + " " + sentence(rng) for _ in range(20))]
    path = write_jsonl(tmp_path, texts)
    finding = found_in(path)["short_documents"]
    assert options(finding) == ["--min-document-chars", "200"]
    assert "short_documents" not in names_after(capsys, path, *options(finding))


def test_titles_and_nothing_else_are_not_dropped(tmp_path):
    rng = random.Random(1)
    names = [" ".join(rng.choices(WORDS, k=3)).title() for _ in range(40)]
    path = write_jsonl(tmp_path, names, names)
    finding = found_in(path)["title_only_documents"]
    assert finding.command == f"bertsmith doctor corpus {path} --text-column COLUMN"


def test_fifty_chinese_characters_are_not_short(tmp_path, capsys, monkeypatch):
    rng = random.Random(1)
    long = ["。".join("".join(rng.sample(CHINESE, 20)) for _ in range(5)) for _ in range(60)]
    path = write_jsonl(tmp_path, [*long, *("".join(rng.sample(CHINESE, 20)) for _ in range(20))])
    finding = found_in(path, language="zh")["short_documents"]
    assert finding.title == "25 % of the documents have under 50 characters"
    assert options(finding) == ["--language", "zh", "--min-document-chars", "50"]
    Vocabulary([*SPECIAL_TOKENS, *sorted(set(CHINESE)), "。"]).save(tmp_path / "vocab.txt")
    monkeypatch.chdir(tmp_path)
    assert run(*shlex.split(finding.command)[1:], "--json") == 0
    assert json.loads(capsys.readouterr().out)["num_documents"] == 60
