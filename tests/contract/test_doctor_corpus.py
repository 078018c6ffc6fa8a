"""Every check of a corpus finds what was planted, mends it by its command, and else is silent."""

import json
import os
import random
import shlex
import sys
from collections import Counter
from pathlib import Path

import pytest

from bertsmith.corpus import CorpusSettings, language_filter, open_corpus
from bertsmith.doctor import examine_corpus
from bertsmith.doctor.corpus import spread
from bertsmith.doctor.corpus_checks import language
from bertsmith.wordpiece import SPECIAL_TOKENS, Tokenizer, Vocabulary
from cli_runs import run
from doctor_corpora import CORPUS_DEFECTS, WORDS, documents, sound, write_jsonl
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


MENDED = [
    name
    for name in CORPUS_DEFECTS
    # Those that the doctor reads over anyway, and those that no command mends.
    if name not in ("not_utf8", "nul_bytes", "broken_records", "mojibake", "long_sentences")
    and name not in ("markup", "little_text", "wrapped_lines", "one_document", "truncated_files")
    # No text would be left if it were mended.
    and name != "short_documents"
]


@pytest.mark.parametrize("name", MENDED)
def test_the_command_mends_it(tmp_path, capsys, name):
    path = CORPUS_DEFECTS[name](tmp_path)
    words = shlex.split(found_in(path)[name].command)
    options = words[words.index("store") + 1 :]
    assert options, "a command that changes nothing"
    assert run("doctor", "corpus", path, *options, "--json") == 0
    left = json.loads(capsys.readouterr().out)["findings"]
    assert name not in {finding["name"] for finding in left}


STOPPING = ["not_utf8", "nul_bytes", "broken_records", "truncated_files"]


@pytest.mark.parametrize("name", STOPPING)
def test_the_command_prepares_what_stopped_it(tmp_path, capsys, monkeypatch, name):
    path = CORPUS_DEFECTS[name](tmp_path)
    vocab = tmp_path / "vocab.txt"
    Vocabulary([*SPECIAL_TOKENS, *WORDS, "."]).save(vocab)
    words = shlex.split(found_in(path)[name].command)
    monkeypatch.chdir(tmp_path)
    assert run("prepare", path, "--vocab", "vocab.txt", "-o", "other") == 2
    assert run(*words[1:]) == 0
    assert (tmp_path / "store" / "manifest.json").exists()


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


def test_wrapped_lines_of_txt_files_are_joined_by_the_command(tmp_path, capsys):
    text = (CORPUS_DEFECTS["wrapped_lines"](tmp_path)).read_text()
    path = tmp_path / "wrapped.txt"
    path.write_text("\n\n".join(json.loads(line)["text"] for line in text.splitlines()))
    assert "wrapped_lines" in found_in(path, text_form="sentences")
    assert "wrapped_lines" not in found_in(path, text_form="document")


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
