"""Every check of a store finds what was planted, and is silent about a sound store."""

import json
import os
from pathlib import Path

import pytest

from bertsmith.corpus import open_corpus
from bertsmith.doctor import examine_store
from bertsmith.errors import StoreError
from bertsmith.store import write_store
from bertsmith.wordpiece import Tokenizer
from cli_runs import run
from doctor_corpora import WORDS, sound
from doctor_findings import check_finding
from doctor_stores import NAMES, STORE_DEFECTS, store_of, texts_of
from unprivileged import unprivileged


@pytest.fixture(scope="session")
def sound_store(tmp_path_factory):
    """1.4 million tokens in documents as long as Wikipedia's."""
    return store_of(tmp_path_factory.mktemp("sound"), texts_of(3000, 10, 70, 11))


@pytest.mark.parametrize("name", STORE_DEFECTS)
def test_a_planted_defect_is_found(tmp_path, name):
    found = examine_store(STORE_DEFECTS[name](tmp_path)).findings
    finding = next(finding for finding in found if finding.name == name)
    check_finding(finding, needs_command=name != "other_unicode")


def _cut(shard):
    shard.write_bytes(shard.read_bytes()[:-100])


def _flip_footer(shard):
    data = bytearray(shard.read_bytes())
    data[-8] ^= 0xFF
    shard.write_bytes(data)


@pytest.mark.parametrize("harm", [_cut, _flip_footer, Path.unlink])
def test_a_store_that_does_not_open_is_damaged(tmp_path, capsys, harm):
    store = store_of(tmp_path, sound(tmp_path))
    shard = next(store.glob("*.arrow"))
    harm(shard)
    page = tmp_path / "page.html"
    assert run("doctor", "store", store, "--strict", "--json", "--html", page) == 3
    examination = json.loads(capsys.readouterr().out)
    (finding,) = examination["findings"]
    assert (finding["name"], finding["severity"]) == ("damaged", "problem")
    assert finding["examples"][0]["where"] == str(shard)
    assert len(examination["unchecked"]) == 1
    assert "damaged" in page.read_text()


@pytest.mark.parametrize(
    ("name", "vocabulary"), [("shard-00000.arrow", True), ("vocab.txt", False)]
)
def test_the_command_makes_the_damaged_store_again(tmp_path, name, vocabulary):
    store = store_of(tmp_path, sound(tmp_path))
    with (store / name).open("a") as file:
        file.write("more\n")
    (finding,) = examine_store(store).findings
    vocab = store / "vocab.txt" if vocabulary else "VOCABULARY"
    assert finding.command == f"bertsmith prepare CORPUS --vocab {vocab} -o {store} --overwrite"


def test_a_store_that_may_not_be_read_is_not_damaged(tmp_path):
    store = store_of(tmp_path, sound(tmp_path))
    (store / "shard-00000.arrow").chmod(0)
    with unprivileged(store), pytest.raises(StoreError, match="check its permissions"):
        examine_store(".")


def test_a_folder_that_is_no_store_is_an_error(tmp_path):
    with pytest.raises(StoreError, match="is no token store"):
        examine_store(tmp_path)


def test_casing_is_mended_by_its_command(tmp_path):
    corpus = sound(tmp_path)
    wrong = store_of(tmp_path / "a", corpus, (*WORDS, *NAMES, "."))
    command = casing_of(wrong).command
    assert command == f"bertsmith prepare CORPUS --vocab {wrong / 'vocab.txt'} -o new_store --cased"
    assert (
        casing_of(store_of(tmp_path / "b", corpus, (*WORDS, *NAMES, "."), lowercase=False)) is None
    )


def test_a_vocabulary_without_capitals_is_for_lower_cased_text(tmp_path):
    finding = casing_of(store_of(tmp_path, sound(tmp_path), lowercase=False))
    check_finding(finding)
    assert finding.value == 1.0
    assert "--cased" not in finding.command


def casing_of(store):
    found = examine_store(store).findings
    return next((finding for finding in found if finding.name == "casing"), None)


def test_a_sound_store_is_sound(sound_store):
    assert examine_store(sound_store).findings == ()


def test_what_is_measured_is_so(tmp_path):
    # Every document is one sentence of 9 words and a full stop.
    examination = examine_store(store_of(tmp_path, texts_of(50, 1, 1, 9)))
    facts = {fact.name: fact.value for fact in examination.facts}
    assert facts["num_tokens"] == 500
    assert facts["num_examples_128"] == 50
    assert facts["random_share_128"] == 1.0
    # [CLS], twice 10 tokens and two [SEP]: round(0.15 · 23) of 23.
    assert facts["masked_share_128"] == pytest.approx(3 / 23, abs=1e-9)
    assert facts["padding_share_128"] == pytest.approx(1 - 23 / 128)
    assert facts["unseen_share_128"] == 0.0
    shapes = {shape.name: shape for shape in examination.histograms}
    assert shapes["sentence_tokens"].median == shapes["sentence_tokens"].longest == 10


def test_unigram_loss_is_the_entropy(tmp_path):
    examination = examine_store(
        store_of(tmp_path, ["river river city."] * 3, ["river", "city", "."])
    )
    facts = {fact.name: fact.value for fact in examination.facts}
    assert facts["unigram_loss"] == pytest.approx(1.0397207708)  # 1/2, 1/4, 1/4
    assert facts["unigram_accuracy"] == 0.5


def test_tokens_trimmed_away_are_those_that_no_example_has(tmp_path):
    # Two sentences of 100: at most 125 tokens of text fit, and each chunk has both sides.
    examination = examine_store(store_of(tmp_path, texts_of(300, 1, 1, 299)))
    facts = {fact.name: fact.value for fact in examination.facts}
    # Each document gives one A of 63 tokens out of 300; some of the rest comes up as a random B.
    assert 0.5 < facts["unseen_share_128"] < 1 - 63 / 300


@pytest.mark.slow
@pytest.mark.skipif("BERTSMITH_DATA" not in os.environ, reason="BERTSMITH_DATA is not set")
@pytest.mark.parametrize(("name", "vocabulary"), [("wiki_en", "uncased_en"), ("wiki_zh", "zh")])
def test_real_stores_raise_no_alarm(tmp_path, name, vocabulary):
    data = Path(os.environ["BERTSMITH_DATA"])
    tokenizer = Tokenizer(data / "vocab" / f"google_{vocabulary}_vocab.txt")
    corpus = open_corpus(data / "pretrain" / f"{name}.jsonl.zst")
    write_store(corpus, tokenizer, tmp_path / "store")
    findings = examine_store(tmp_path / "store").findings
    assert [finding for finding in findings if finding.severity != "info"] == []
