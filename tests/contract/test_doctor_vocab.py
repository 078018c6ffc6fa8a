"""Every check of a vocabulary finds what was planted, and is silent about a fitting vocabulary."""

import os
from pathlib import Path

import pytest

from bertsmith.corpus import open_corpus
from bertsmith.doctor import examine_vocabulary
from bertsmith.wordpiece import Tokenizer, learn_vocabulary
from doctor_corpora import WORDS, sound, varied, write_jsonl
from doctor_findings import check_finding
from doctor_vocabularies import PIECES, VOCABULARY_DEFECTS, fitting, vocabulary


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return sound(tmp_path_factory.mktemp("vocabulary"), number=800)


@pytest.mark.parametrize("name", VOCABULARY_DEFECTS)
def test_a_planted_defect_is_found(corpus, name):
    found = examine_vocabulary(VOCABULARY_DEFECTS[name](), [corpus], vocab_path="mine.txt").findings
    finding = next(finding for finding in found if finding.name == name)
    check_finding(finding)
    # A command must not write over the vocabulary that was examined.
    assert "-o mine.txt" not in finding.command
    assert finding.examples or name == "uneven_size"


def test_words_that_are_entries_need_no_letters(corpus):
    found = examine_vocabulary(Tokenizer(vocabulary(*WORDS, ".")), [corpus]).findings
    assert {finding.name for finding in found} == {"uneven_size"}


def test_a_lower_case_vocabulary_used_cased_is_found(corpus):
    tokenizer = Tokenizer(vocabulary(*PIECES, *WORDS), lowercase=False)
    findings = {f.name: f for f in examine_vocabulary(tokenizer, [corpus]).findings}
    assert findings["casing"].severity == "problem"
    assert "--cased" not in findings["casing"].command
    assert (
        "--cased"
        in findings["many_pieces" if "many_pieces" in findings else "unknown_tokens"].command
    )


def test_a_fitting_vocabulary_is_sound(corpus):
    found = examine_vocabulary(Tokenizer(fitting()), [corpus])
    # 26 letters by themselves and with ##: words that are entries leave them without use.
    assert {finding.name for finding in found.findings} <= {"unseen_entries"}
    assert not found.has_problem
    assert {f.severity for f in found.findings} <= {"info"}


@pytest.fixture(scope="module")
def zipfian(tmp_path_factory):
    """Text of 1,500 words, as unevenly frequent as words are."""
    return write_jsonl(tmp_path_factory.mktemp("zipfian"), varied())


@pytest.mark.parametrize("lowercase", [True, False])
def test_a_vocabulary_learned_from_the_text_is_sound(zipfian, lowercase):
    texts = [raw.text for raw in open_corpus(zipfian)]
    learned = learn_vocabulary(texts, size=1024, lowercase=lowercase)
    assert examine_vocabulary(Tokenizer(learned, lowercase=lowercase), [zipfian]).findings == ()


def test_hangul_is_impossible_where_text_is_lower_cased(tmp_path):
    # Lower-casing strips accents by NFD, which takes syllables apart.
    corpus = write_jsonl(tmp_path, ["한국 사람."] * 5)
    tokenizer = Tokenizer(vocabulary("한국", "사람", "."))
    found = {f.name: f for f in examine_vocabulary(tokenizer, [corpus]).findings}
    assert "impossible_entries" in found
    assert found["unknown_tokens"].severity == "problem"


@pytest.mark.slow
@pytest.mark.skipif("BERTSMITH_DATA" not in os.environ, reason="BERTSMITH_DATA is not set")
@pytest.mark.parametrize(("name", "lowercase"), [("uncased", True), ("cased", False)])
def test_googles_vocabularies_raise_no_alarm(name, lowercase):
    data = Path(os.environ["BERTSMITH_DATA"])
    tokenizer = Tokenizer(data / "vocab" / f"google_{name}_en_vocab.txt", lowercase=lowercase)
    corpus = data / "pretrain" / "wiki_en.jsonl.zst"
    found = examine_vocabulary(tokenizer, [corpus], sample_bytes=20_000_000).findings
    assert {finding.name for finding in found} == {"impossible_entries", "uneven_size"}
    assert {finding.severity for finding in found} == {"info"}


def test_commands_read_over_what_would_stop_them(tmp_path):
    path = sound(tmp_path)
    path.write_text(path.read_text() + '{"text": \n')
    found = examine_vocabulary(
        VOCABULARY_DEFECTS["casing"](), [path], vocab_path="mine.txt"
    ).findings
    command = next(finding.command for finding in found if finding.name == "casing")
    assert command.endswith("--errors replace")
