import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import tokenizers
import transformers

from bertsmith.errors import ModelError, VocabularyError
from bertsmith.wordpiece import Tokenizer, Vocabulary, learn_vocabulary

TEXTS = [
    "The quick brown fox isn't lazy, it's naïve!",
    "Äpfel und Öl: 12,50 € — 中文字符 and 日本 too.",
    "unaffable\tvirtual\nmachines; [x] e\u0301tude İstanbul",
    "",
    "a" * 150,
]


@pytest.fixture(scope="module", params=[True, False], ids=["uncased", "cased"])
def tokenizer(request) -> Tokenizer:
    vocabulary = learn_vocabulary(TEXTS * 2, size=200, lowercase=request.param)
    return Tokenizer(vocabulary, lowercase=request.param)


@pytest.fixture
def folder(tokenizer, tmp_path) -> Path:
    tokenizer.save_pretrained(tmp_path, max_length=128)
    return tmp_path


def change(path: Path, **changes: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_the_folder_opens_as_it_was_saved(tokenizer, folder):
    assert sorted(file.name for file in folder.iterdir()) == (
        ["tokenizer.json", "tokenizer_config.json", "vocab.txt"]
    )
    for kept in (
        ["vocab.txt", "tokenizer.json", "tokenizer_config.json"],
        ["vocab.txt", "tokenizer_config.json"],
        ["tokenizer.json", "tokenizer_config.json"],
        ["tokenizer.json"],
        ["vocab.txt"],
    ):
        part = folder / "with-{}".format("-".join(kept))
        part.mkdir()
        for name in kept:
            shutil.copy(folder / name, part)
        opened = Tokenizer.from_pretrained(part)
        assert opened.vocabulary == tokenizer.vocabulary
        assert opened.lowercase == tokenizer.lowercase


def test_transformers_opens_the_folder_and_agrees(tokenizer, folder):
    theirs = transformers.AutoTokenizer.from_pretrained(folder)
    assert theirs.model_max_length == 128
    for text in TEXTS[:4]:
        assert theirs(text)["input_ids"] == tokenizer.encode(text).input_ids
    ours, pair = tokenizer.encode(TEXTS[0], TEXTS[1]), theirs(TEXTS[0], TEXTS[1])
    assert pair["input_ids"] == ours.input_ids
    assert pair["token_type_ids"] == ours.token_type_ids
    marked = "the [MASK] fox"
    assert theirs(marked)["input_ids"] == tokenizer.encode(marked, special_tokens=True).input_ids


def test_tokenizers_opens_the_file_and_agrees(tokenizer, folder):
    theirs = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    for text in TEXTS:
        ours, encoded = tokenizer.encode(text), theirs.encode(text)
        assert encoded.ids == ours.input_ids
        assert encoded.tokens == ours.tokens
    pair = theirs.encode(TEXTS[0], TEXTS[2])
    ours = tokenizer.encode(TEXTS[0], TEXTS[2])
    assert (pair.ids, pair.type_ids) == (ours.input_ids, ours.token_type_ids)
    ids = ours.input_ids[:9]
    assert theirs.decode(ids) == tokenizer.decode(ids, skip_special_tokens=True)


def test_a_folder_that_transformers_has_written(tokenizer, folder, tmp_path):
    theirs = transformers.AutoTokenizer.from_pretrained(folder)
    theirs.save_pretrained(tmp_path / "theirs")
    opened = Tokenizer.from_pretrained(tmp_path / "theirs")
    assert opened.vocabulary == tokenizer.vocabulary
    assert opened.lowercase == tokenizer.lowercase
    transformers.BertTokenizer(
        vocab=tokenizer.vocabulary.ids, do_lower_case=tokenizer.lowercase
    ).save_pretrained(tmp_path / "new")
    opened = Tokenizer.from_pretrained(tmp_path / "new")
    assert opened.vocabulary == tokenizer.vocabulary
    assert opened.lowercase == tokenizer.lowercase


def test_saving_keeps_other_files(folder, tokenizer):
    (folder / "model.safetensors").write_bytes(b"weights")
    tokenizer.save_pretrained(folder)
    assert (folder / "model.safetensors").read_bytes() == b"weights"
    assert json.loads((folder / "tokenizer_config.json").read_text())["model_max_length"] == 512


def test_a_bare_vocabulary_is_cased_where_it_has_a_capital_letter(tmp_path):
    common = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[unused0]", "<S>", "the", "##x", "你"]
    for more, lowercase in (("a", True), ("A", False), ("##Ä", False)):
        Vocabulary([*common, more]).save(tmp_path / "vocab.txt")
        assert Tokenizer.from_pretrained(tmp_path).lowercase == lowercase


def test_the_config_goes_before_the_tokenizer_file(folder, tokenizer):
    change(folder / "tokenizer_config.json", do_lower_case=not tokenizer.lowercase)
    assert Tokenizer.from_pretrained(folder).lowercase == (not tokenizer.lowercase)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tokenize_chinese_chars": False}, "tokenize_chinese_chars is false"),
        ({"do_basic_tokenize": False}, "do_basic_tokenize is false"),
        ({"tokenizer_class": "BertJapaneseTokenizer"}, "BertJapaneseTokenizer, which is not"),
        ({"tokenizer_class": "RobertaTokenizerFast"}, "RobertaTokenizerFast, which is not"),
        ({"mask_token": "<mask>"}, 'mask_token is "<mask>", and BERT\'s is [MASK]'),
        ({"unk_token": {"content": "<unk>"}}, 'unk_token is "<unk>"'),
        (
            {"added_tokens_decoder": {"99": {"content": "[ENTITY]"}}},
            "adds the token '[ENTITY]', which is not in the vocabulary",
        ),
    ],
)
def test_settings_that_would_give_other_ids_are_refused(folder, changes, message):
    path = folder / "tokenizer_config.json"
    change(path, **changes)
    with pytest.raises(ModelError) as error:
        Tokenizer.from_pretrained(folder)
    assert message in str(error.value)
    assert str(path) in str(error.value)


def test_accents_are_stripped_with_lower_casing_or_not_at_all(folder, tokenizer):
    change(folder / "tokenizer_config.json", strip_accents=tokenizer.lowercase)
    assert Tokenizer.from_pretrained(folder).lowercase == tokenizer.lowercase
    change(folder / "tokenizer_config.json", strip_accents=not tokenizer.lowercase)
    with pytest.raises(ModelError, match="strip_accents is"):
        Tokenizer.from_pretrained(folder)


@pytest.mark.parametrize(
    ("part", "key", "value"),
    [
        ("model", "type", "BPE"),
        ("model", "unk_token", "<unk>"),
        ("model", "continuing_subword_prefix", "@@"),
        ("normalizer", "type", "NFKC"),
        ("normalizer", "clean_text", False),
        ("normalizer", "handle_chinese_chars", False),
        ("pre_tokenizer", "type", "Whitespace"),
    ],
)
def test_a_tokenizer_file_with_other_rules_is_refused(folder, part, key, value):
    path = folder / "tokenizer.json"
    content = json.loads(path.read_text())
    content[part][key] = value
    path.write_text(json.dumps(content))
    with pytest.raises(ModelError) as error:
        Tokenizer.from_pretrained(folder)
    assert f"{part}.{key} is {json.dumps(value)}" in str(error.value)


def test_a_tokenizer_file_with_gaps_or_additions_is_refused(folder):
    (folder / "vocab.txt").unlink()
    path = folder / "tokenizer.json"
    content = json.loads(path.read_text())
    content["added_tokens"].append({"id": 999, "content": "[X]"})
    path.write_text(json.dumps(content))
    with pytest.raises(ModelError, match=r"adds the token '\[X\]'"):
        Tokenizer.from_pretrained(folder)
    content["model"]["vocab"]["[X]"] = 999
    path.write_text(json.dumps(content))
    with pytest.raises(ModelError, match="without a gap"):
        Tokenizer.from_pretrained(folder)


def test_folders_that_cannot_be_opened(folder, tmp_path):
    with pytest.raises(ModelError, match="no such folder"):
        Tokenizer.from_pretrained(tmp_path / "absent")
    with pytest.raises(ModelError, match="no such folder"):
        Tokenizer.from_pretrained("./absent")
    with pytest.raises(ModelError, match="no such folder"):
        Tokenizer.from_pretrained(str(folder / "vocab.txt"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError, match=r"neither vocab\.txt nor tokenizer\.json"):
        Tokenizer.from_pretrained(tmp_path / "empty")
    (folder / "tokenizer_config.json").write_text("{")
    with pytest.raises(ModelError, match="is not JSON"):
        Tokenizer.from_pretrained(folder)
    (folder / "tokenizer_config.json").write_text("[]")
    with pytest.raises(ModelError, match="not a JSON object"):
        Tokenizer.from_pretrained(folder)
    (folder / "tokenizer_config.json").unlink()
    (folder / "vocab.txt").write_text("a\n")
    with pytest.raises(VocabularyError, match="has no"):
        Tokenizer.from_pretrained(folder)


def test_hub_models_come_from_the_local_cache(tmp_path):
    """The Hub's own cache, laid out as it lays it out, without the network."""
    tokenizer = Tokenizer(Vocabulary(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "A"]))
    model = tmp_path / "models--someone--some-bert"
    tokenizer.save_pretrained(model / "snapshots" / ("0123456789" * 4))
    (model / "refs").mkdir()
    (model / "refs" / "main").write_text("0123456789" * 4)
    code = (
        "from bertsmith.wordpiece import Tokenizer\n"
        "print(Tokenizer.from_pretrained('someone/some-bert').lowercase)\n"
        "try: Tokenizer.from_pretrained('someone/other')\n"
        "except Exception as error: print(type(error).__name__, error)\n"
        "try: Tokenizer.from_pretrained('some one')\n"
        "except Exception as error: print(type(error).__name__, error)\n"
    )
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HUB_CACHE": str(tmp_path)}
    output = subprocess.run(
        [sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True
    ).stdout.splitlines()
    assert output[0] == "True"
    assert output[1].startswith("ModelError someone/other: is no folder here, and the Hub didn't")
    assert output[2].startswith("ModelError some one: is neither a folder nor a model's id")
