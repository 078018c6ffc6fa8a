"""What findings about corpora, vocabularies and stores tell to run: it runs, as it is printed."""

import pytest

from bertsmith.doctor import examine_corpus, examine_store, examine_vocabulary
from bertsmith.store import TokenStore
from bertsmith.wordpiece import SPECIAL_TOKENS, Tokenizer, Vocabulary
from cli_runs import run
from doctor_corpora import CORPUS_DEFECTS, WORDS, sound, varied, write_jsonl
from doctor_findings import command_lines
from doctor_stores import STORE_DEFECTS
from doctor_vocabularies import VOCABULARY_DEFECTS

# What a reader puts in, and a size and a time for tests.
QUICK = (
    *("model.num_hidden_layers=1", "model.hidden_size=32", "training.num_evaluations=1"),
    *("training.global_batch_size=8", "training.micro_batch_size=8", "training.precision=fp32"),
)


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    """A saved model with a vocabulary of its own."""
    folder = tmp_path_factory.mktemp("a model")
    corpus = sound(folder)
    assert run("vocab", corpus, "-o", folder / "vocab.txt", "--size", 300) == 0
    assert run("prepare", corpus, "--vocab", folder / "vocab.txt", "-o", folder / "store") == 0
    quick = [word for change in QUICK for word in ("--set", change)]
    arguments = ("--recipe", "tiny", "-o", folder / "run", *quick, "--set", "training.num_steps=2")
    assert run("pretrain", folder / "store", *arguments) == 0
    return folder / "run"


def run_all(command, model, corpus="CORPUS"):
    """Runs what a finding tells, with the reader's own files in the places that are named so."""
    own = {"MODEL": str(model), "CORPUS": str(corpus), "VOCABULARY": "vocab.txt"}
    own |= {"COLUMN": "text", "10m": "1s"}
    for words in command_lines(command):
        quick = [word for change in QUICK for word in ("--set", change)]
        more = quick if words[0] == "pretrain" else []
        assert run(*(own.get(word, word) for word in words), *more) == 0, command


def finding_of(examination, name):
    return next((f for f in examination.findings if f.name == name), None)


def is_mended(before, examination):
    """Whether a finding is gone after its command was run, or is much smaller."""
    after = finding_of(examination, before.name)
    assert after is None or after.value < before.value / 2, (before.command, after.title)


@pytest.mark.parametrize("name", CORPUS_DEFECTS)
def test_of_a_corpus(tmp_path, monkeypatch, name, model):
    monkeypatch.chdir(tmp_path)
    path = CORPUS_DEFECTS[name](tmp_path)
    assert run("vocab", path, "-o", "vocab.txt", "--size", 600, "--errors", "replace") == 0
    run_all(finding_of(examine_corpus([path]), name).command, model)


@pytest.mark.parametrize("name", VOCABULARY_DEFECTS)
def test_of_a_vocabulary(tmp_path, monkeypatch, name, model):
    monkeypatch.chdir(tmp_path)
    # Where all pieces of a text are learned, many are only steps on the way to others.
    is_of_sizes = name in ("unseen_entries", "uneven_size")
    path = write_jsonl(tmp_path, varied()) if is_of_sizes else sound(tmp_path, 800)
    tokenizer = VOCABULARY_DEFECTS[name]()
    tokenizer.vocabulary.save(tmp_path / "vocab.txt")
    before = finding_of(examine_vocabulary(tokenizer, [path]), name)
    run_all(before.command, model)
    lowercase = "--cased" not in before.command
    if "new_vocab.txt" in before.command:
        tokenizer = Tokenizer("new_vocab.txt", lowercase=lowercase)
    else:
        tokenizer = Tokenizer(tokenizer.vocabulary, lowercase=lowercase)
    is_mended(before, examine_vocabulary(tokenizer, [path]))


@pytest.mark.parametrize("number", [60, 16_500])
def test_of_a_corpus_with_a_vocabulary(tmp_path, monkeypatch, number, model):
    """Too few entries for 60 documents, too many for a million words."""
    monkeypatch.chdir(tmp_path)
    path, more = sound(tmp_path, number), [str(n) for n in range(10_000)]
    few = number == 60
    tokens = [*SPECIAL_TOKENS, *(WORDS[:-3] if few else [*WORDS, *more]), "."]
    Vocabulary(tokens).save(tmp_path / "vocab.txt")
    found = examine_corpus(
        [path], tokenizer=Tokenizer("vocab.txt"), vocab_path="vocab.txt", sample_bytes=10**6
    )
    before = finding_of(found, "unknown_tokens" if few else "large_vocabulary")
    run_all(before.command, model)
    assert set(WORDS) <= set(Vocabulary.load("new_vocab.txt").tokens)
    is_mended(before, examine_corpus([path], tokenizer=Tokenizer("new_vocab.txt")))


@pytest.mark.parametrize("name", [name for name in STORE_DEFECTS if name != "other_unicode"])
def test_of_a_store(tmp_path, monkeypatch, name, model):
    monkeypatch.chdir(tmp_path)
    store = STORE_DEFECTS[name](tmp_path)
    before = finding_of(examine_store("store"), name)
    run_all(before.command, model, corpus=tmp_path / "a.jsonl")
    assert name == "damaged" or TokenStore(store).num_documents
    if "doctor mend" in before.command:
        is_mended(before, examine_corpus(["parts.jsonl"]))
    elif "-o new_store" in before.command and name != "little_text":
        is_mended(before, examine_store("new_store"))
    elif name == "damaged":
        is_mended(before, examine_store("store"))
    else:
        # What is mended by other examples, or by a model that was trained on more.
        assert "pretrain" in before.command or name == "masked_fraction"
