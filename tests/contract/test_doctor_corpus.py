"""Every check of a corpus finds what was planted, by numbers of all of it, and else is silent."""

import os
import random
import re
import sys
from collections import Counter
from pathlib import Path

import pytest

from bertsmith.corpus import CorpusSettings, language_filter, open_corpus
from bertsmith.doctor import examine_corpus, examine_vocabulary
from bertsmith.doctor.corpus import spread
from bertsmith.doctor.corpus_checks import language
from bertsmith.store import describe, write_store
from bertsmith.wordpiece import SPECIAL_TOKENS, Tokenizer, Vocabulary
from doctor_corpora import (
    CORPUS_DEFECTS,
    GERMAN,
    WORDS,
    documents,
    sound,
    write_jsonl,
)
from doctor_findings import check_finding

# Small corpora have little text, all of them.
ALWAYS = {"little_text"}


def found_in(path, **settings):
    examination = examine_corpus([path], CorpusSettings(**settings))
    return {finding.name: finding for finding in examination.findings}


@pytest.mark.parametrize("name", CORPUS_DEFECTS)
def test_a_planted_defect_is_found(tmp_path, name):
    finding = found_in(CORPUS_DEFECTS[name](tmp_path))[name]
    assert finding.severity in ("warning", "problem")
    check_finding(finding)
    for example in finding.examples:
        assert example.where


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """A sound corpus of a million words."""
    return sound(tmp_path_factory.mktemp("large"), number=16_500)


def test_a_sound_corpus_is_sound(large):
    examination = examine_corpus([large])
    assert examination.findings == ()
    assert examination.unchecked == ()


@pytest.mark.parametrize("seed", range(2))
def test_small_sound_corpora_only_have_little_text(tmp_path, seed):
    assert set(found_in(sound(tmp_path, seed=seed))) == ALWAYS


def test_utf_16_is_named_though_its_mark_is_no_utf_8(tmp_path):
    (tmp_path / "a.txt").write_text("It rains.\n" * 50, encoding="utf-16")
    assert "iconv -f UTF-16" in found_in(tmp_path)["nul_bytes"].remedy
    assert found_in(tmp_path)["not_utf8"].value == 2


@pytest.mark.parametrize("name", ["broken_records", "truncated_files"])
def test_faults_are_shown_at_their_places(tmp_path, name):
    path = CORPUS_DEFECTS[name](tmp_path)
    places = [example.where for example in found_in(path)[name].examples]
    lines = [f"{path}:{line}" for line in (61, 62, 63)]
    assert places == (lines if name == "broken_records" else [str(path)])


def test_commands_read_over_what_would_stop_them(tmp_path):
    path = CORPUS_DEFECTS["duplicate_documents"](tmp_path)
    command = found_in(path)["duplicate_documents"].command
    assert "--errors" not in command
    path.write_text(path.read_text() + '{"text": \n')
    assert found_in(path)["duplicate_documents"].command == (
        f"bertsmith prepare {path} --vocab vocab.txt -o store --errors replace --duplicates exact"
    )


def test_no_language_is_not_proposed(tmp_path, monkeypatch):
    monkeypatch.setattr(language, "is_in_language", lambda text, code: False)
    monkeypatch.setattr(language, "_language_of", lambda text: "zxx")
    finding = found_in(sound(tmp_path))["wrong_language"]
    assert finding.severity == "problem"
    assert "zxx" not in finding.title + finding.remedy + finding.command
    assert finding.command.endswith("--only-language en")


def of_two_languages(folder, number, reversed_files):
    """Two files of as many documents each, in one order or the other."""
    rng = random.Random(1)
    for name, words in (("a", WORDS), ("b", GERMAN)):
        (folder / name).mkdir()
        write_jsonl(folder / name, documents(rng, number, words))
    return sorted(folder.glob("*/a.jsonl"), reverse=reversed_files)


@pytest.mark.parametrize("reversed_files", [False, True])
def test_the_share_of_unk_is_that_of_prepare_whatever_the_order(tmp_path, reversed_files):
    paths = of_two_languages(tmp_path, 1200, reversed_files)
    tokenizer = Tokenizer(Vocabulary([*SPECIAL_TOKENS, *WORDS, "."]))
    found = examine_corpus(paths, tokenizer=tokenizer)
    assert {fact.name: fact.text for fact in found.facts}["num_examined"].startswith("all ")
    assert found.to_json()["estimates"] == []
    value = next(f.value for f in found.findings if f.name == "unknown_tokens")
    manifest = write_store(open_corpus(paths), tokenizer, tmp_path / "store")
    assert value == describe(manifest).unknown_rate


@pytest.mark.parametrize("reversed_files", [False, True])
def test_languages_are_drawn_from_everywhere(tmp_path, reversed_files):
    paths = of_two_languages(tmp_path, 3000, reversed_files)
    found = examine_corpus(paths, sample_bytes=None).findings
    (finding,) = (finding for finding in found if finding.name == "wrong_language")
    # Of 1,000 to 2,000: four standard errors.
    assert finding.value == pytest.approx(0.5, abs=0.06)
    assert "drawn from all" in finding.title


def test_sizes_agree_within_a_report_and_with_that_of_the_vocabulary(tmp_path):
    path = sound(tmp_path, 4000)
    small = Tokenizer(Vocabulary([*SPECIAL_TOKENS, *WORDS[:-3], "."]))
    reports = [
        *examine_corpus([path], tokenizer=small).findings,
        *examine_vocabulary(small, [path]).findings,
    ]
    told = [re.findall(r"--size (\d+)", f.remedy + f.command) for f in reports]
    assert len([sizes for sizes in told if sizes]) >= 4
    assert len({size for sizes in told for size in sizes}) == 1


def test_unknown_tokens_and_a_large_vocabulary_are_found(large):
    small = Tokenizer(Vocabulary([*SPECIAL_TOKENS, *WORDS[:-3], "."]))
    names = [f.name for f in examine_corpus([large], tokenizer=small, sample_bytes=10**6).findings]
    assert names == ["unknown_tokens"]
    roomy = Tokenizer(Vocabulary([*SPECIAL_TOKENS, *WORDS, ".", *map(str, range(10_000))]))
    names = [f.name for f in examine_corpus([large], tokenizer=roomy, sample_bytes=10**6).findings]
    assert names == ["large_vocabulary"]


def test_a_sample_is_spread_over_the_corpus(tmp_path):
    texts = documents(random.Random(3), number=4000)
    path = write_jsonl(tmp_path, texts)
    size = sum(map(len, texts))
    examination = examine_corpus([path], sample_bytes=size // 4)
    facts = {fact.name: fact.value for fact in examination.facts}
    assert facts["num_documents"] == 4000
    assert 800 < facts["num_examined"] < 1100
    words = sum(len(text.split()) for text in texts)
    assert facts["num_words"] == pytest.approx(words, rel=0.02)
    shown = {fact.name: fact.text for fact in examination.facts}
    assert shown["num_words"].startswith("about ")
    assert examination.to_json()["estimates"] == ["num_words"]
    # All of it was measured.
    assert shown["num_bytes"] == f"{size / 1e6:,.1f} MB"
    (finding,) = examination.findings
    assert f"there are {shown['num_words']} words" in finding.title


def test_the_sample_is_taken_from_everywhere(tmp_path):
    rng = random.Random(4)
    for number in range(16):
        (tmp_path / f"{number:02}").mkdir()
        write_jsonl(tmp_path / f"{number:02}", documents(rng, number=50))
    corpus = open_corpus(tmp_path)
    taken = Counter(
        raw.where.split("/")[-2]
        for raw, in_sample, _ in spread(corpus, corpus.num_bytes // 4, Counter(), "reading")
        if in_sample
    )
    assert len(taken) == 16
    assert all(5 <= number <= 25 for number in taken.values())


def test_a_line_repeated_in_one_document_is_no_boilerplate(tmp_path):
    texts = documents(random.Random(1))
    texts[0] += "\nAnd the chorus sings this line again." * 40
    assert "repeated_lines" not in found_in(write_jsonl(tmp_path, texts))


def test_copies_are_not_found_twice(tmp_path):
    found = found_in(CORPUS_DEFECTS["duplicate_documents"](tmp_path))
    assert "near_duplicate_documents" not in found
    assert found["duplicate_documents"].value == 0.5


def test_pages_outside_the_sample_count_with_their_markup(tmp_path):
    text = "".join(
        f"<page><title>T{n}</title><ns>0</ns><revision><text>{{{{box|{'x' * 500}}}}}"
        f"{document}</text></revision></page>"
        for n, document in enumerate(documents(random.Random(1), 400))
    )
    path = tmp_path / "wiki.xml"
    path.write_text(f"<mediawiki>{text}</mediawiki>")
    whole, part = (examine_corpus([path], sample_bytes=size) for size in (None, 100_000))
    exact, estimated = ({f.name: f.value for f in e.facts} for e in (whole, part))
    assert exact["num_documents"] == estimated["num_documents"] == 400
    assert estimated["num_examined"] < 200
    assert estimated["num_words"] == pytest.approx(exact["num_words"], rel=0.1)
    assert estimated["num_bytes"] == pytest.approx(exact["num_bytes"], rel=0.1)


def test_what_optional_libraries_would_tell_is_named_without_them(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "rensa", None)
    monkeypatch.setitem(sys.modules, "py3langid.langid", None)
    language_filter._identifier.cache_clear()
    examination = examine_corpus([CORPUS_DEFECTS["wrong_script"](tmp_path)])
    assert len(examination.unchecked) == 2
    assert all("pip install 'bertsmith[" in what for what in examination.unchecked)
    # Scripts need no library.
    assert "wrong_script" in {finding.name for finding in examination.findings}


@pytest.mark.slow
@pytest.mark.skipif("BERTSMITH_DATA" not in os.environ, reason="BERTSMITH_DATA is not set")
@pytest.mark.parametrize(
    ("name", "language"), [("wiki_en", "en"), ("books_en", "en"), ("wiki_zh", "zh")]
)
def test_real_corpora_raise_no_alarm(name, language):
    data = Path(os.environ["BERTSMITH_DATA"])
    vocabulary = "google_zh_vocab.txt" if language == "zh" else "google_uncased_en_vocab.txt"
    examination = examine_corpus(
        [data / "pretrain" / f"{name}.jsonl.zst"],
        CorpusSettings(language=language),
        tokenizer=Tokenizer(data / "vocab" / vocabulary),
    )
    assert examination.findings == ()
