import hashlib
import os
import pickle
from pathlib import Path

import pytest

from bertsmith.errors import VocabularyError
from bertsmith.wordpiece import SPECIAL_TOKENS, Vocabulary

GOOD = [*SPECIAL_TOKENS, "a", "##b", "你"]


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def lines(tokens: list[str], ending: str = "\n") -> bytes:
    return "".join(f"{token}{ending}" for token in tokens).encode()


def test_ids_are_line_numbers_and_special_ids_are_found_anywhere(tmp_path):
    tokens = ["x", "[MASK]", "[SEP]", "y", "[CLS]", "[UNK]", "[PAD]"]
    vocabulary = Vocabulary.load(write(tmp_path / "vocab.txt", lines(tokens)))
    assert vocabulary.tokens == tuple(tokens)
    assert vocabulary.ids == {token: i for i, token in enumerate(tokens)}
    special_ids = [
        vocabulary.pad_id,
        vocabulary.unk_id,
        vocabulary.cls_id,
        vocabulary.sep_id,
        vocabulary.mask_id,
    ]
    assert special_ids == [6, 5, 4, 2, 1]


@pytest.mark.parametrize(
    "content",
    [
        lines(GOOD),
        lines(GOOD, "\r\n"),
        lines(GOOD)[:-1],
        lines(GOOD) + b"\n \n",
        b"\xef\xbb\xbf" + lines(GOOD),
        lines([f" {token}\t" for token in GOOD]),
    ],
    ids=["plain", "crlf", "no last newline", "blank end", "byte-order mark", "padded"],
)
def test_forms_of_the_same_file(tmp_path, content):
    vocabulary = Vocabulary.load(write(tmp_path / "vocab.txt", content))
    assert vocabulary == Vocabulary(GOOD)
    assert vocabulary.sha256 == hashlib.sha256(lines(GOOD)).hexdigest()


def test_save_and_load_keep_every_byte(tmp_path):
    path = tmp_path / "new" / "vocab.txt"
    Vocabulary(GOOD).save(path)
    assert path.read_bytes() == lines(GOOD)
    assert Vocabulary.load(path) == Vocabulary(GOOD)
    assert [file.name for file in path.parent.iterdir()] == ["vocab.txt"]


def test_separators_that_are_tokens_are_kept_so_that_later_ids_hold(tmp_path):
    tokens = [*GOOD, "\u2028", "##\u2028"]
    vocabulary = Vocabulary.load(write(tmp_path / "vocab.txt", lines(tokens)))
    assert vocabulary.tokens == tuple(tokens)


def test_pickle_and_hash():
    vocabulary = Vocabulary(GOOD)
    assert pickle.loads(pickle.dumps(vocabulary)) == vocabulary
    assert {vocabulary: 1}[Vocabulary(GOOD)] == 1
    assert vocabulary != Vocabulary([*GOOD, "more"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the vocabulary is empty"),
        (b"\n\n", "the vocabulary is empty"),
        (lines(GOOD) + b"ok\nb\xffd\n", "is not UTF-8: byte 45 is 0xff"),
        (lines([t for t in GOOD if t != "[MASK]"]), "the vocabulary has no [MASK]"),
        (lines([t for t in GOOD if t != "[PAD]"]), "the vocabulary has no [PAD]"),
        (lines([*GOOD, "x", "a"]), "the token 'a' stands twice, on lines 6 and 10"),
        (lines([*GOOD, "", "x"]), "line 9: the line is blank"),
        (lines([*GOOD, "New York"]), "line 9: the token 'New York' contains white space"),
        (lines([*GOOD, "a\rb"]), r"line 9: the token 'a\rb' contains white space"),
    ],
)
def test_bad_files_are_told_in_one_line(tmp_path, content, message):
    path = write(tmp_path / "vocab.txt", content)
    with pytest.raises(VocabularyError) as error:
        Vocabulary.load(path)
    assert message in str(error.value)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(VocabularyError, match="there is no such file"):
        Vocabulary.load(tmp_path / "vocab.txt")
    with pytest.raises(VocabularyError, match="cannot be read"):
        Vocabulary.load(tmp_path)


def test_half_a_surrogate_pair_cannot_be_a_token():
    with pytest.raises(VocabularyError, match="surrogate"):
        Vocabulary([*GOOD, "\ud800"])


@pytest.mark.slow
@pytest.mark.skipif("BERTSMITH_DATA" not in os.environ, reason="needs the real data")
@pytest.mark.parametrize(
    ("name", "size"), [("uncased_en", 30522), ("cased_en", 28996), ("zh", 21128)]
)
def test_google_vocabularies_load_and_keep_their_bytes(name, size):
    path = Path(os.environ["BERTSMITH_DATA"]) / "vocab" / f"google_{name}_vocab.txt"
    vocabulary = Vocabulary.load(path)
    assert len(vocabulary) == size
    assert vocabulary.to_bytes() == path.read_bytes()
