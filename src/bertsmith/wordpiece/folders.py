"""A tokenizer as a Hugging Face folder: reading anyone's, writing ours.

transformers 4 writes `vocab.txt`, `tokenizer.json` and `tokenizer_config.json`, transformers 5 the
last two alone, Google's own folders hold a `vocab.txt` alone. All are read; settings that would
give other ids than Google's rules are refused, because ignoring them would give wrong ids.
"""

import json
from pathlib import Path
from typing import Any

from bertsmith._files import atomic_file
from bertsmith.errors import ModelError
from bertsmith.wordpiece.tokenizer_json import tokenizer_json
from bertsmith.wordpiece.vocabulary import CONTINUATION, Vocabulary

__all__ = ["read_tokenizer", "write_tokenizer"]

VOCABULARY_FILE = "vocab.txt"
TOKENIZER_FILE = "tokenizer.json"
CONFIG_FILE = "tokenizer_config.json"
ADDED_FILE = "added_tokens.json"

_TOKENIZER_CLASSES = {
    "BertTokenizer",
    "ConvBertTokenizer",
    "DistilBertTokenizer",
    "ElectraTokenizer",
    "MobileBertTokenizer",
    "PreTrainedTokenizer",
    "RetriBertTokenizer",
    "SqueezeBertTokenizer",
    "TokenizersBackend",
}

_SPECIAL_TOKEN_KEYS = {
    "pad_token": "[PAD]",
    "unk_token": "[UNK]",
    "cls_token": "[CLS]",
    "sep_token": "[SEP]",
    "mask_token": "[MASK]",
}

Json = dict[str, Any]


def read_tokenizer(folder_or_hub_id: str | Path) -> tuple[Vocabulary, bool]:
    """Returns the vocabulary of a folder or hub model, and whether text is lower-cased.

    Raises:
        ModelError: there is no such folder or model, or its tokenizer's rules are not BERT's.
        VocabularyError: the vocabulary cannot be used.
    """
    folder = _find_folder(folder_or_hub_id)
    config = _read_json(folder / CONFIG_FILE)
    tokenizer = _read_json(folder / TOKENIZER_FILE)
    if tokenizer is not None:
        _check_tokenizer(tokenizer, folder / TOKENIZER_FILE)
    if (folder / VOCABULARY_FILE).is_file():
        vocabulary = Vocabulary.load(folder / VOCABULARY_FILE)
    elif tokenizer is not None:
        vocabulary = _vocabulary_of(tokenizer, folder / TOKENIZER_FILE)
    else:
        what = f"the folder has neither {VOCABULARY_FILE} nor {TOKENIZER_FILE}"
        raise ModelError(what, where=folder, fix="give a folder with a BERT tokenizer")
    lowercase = _find_lowercase(config or {}, tokenizer or {}, vocabulary)
    _check_config(config or {}, lowercase, folder / CONFIG_FILE)
    if tokenizer is not None:
        strip_accents = _part(tokenizer, "normalizer").get("strip_accents")
        _check_accents(strip_accents, lowercase, folder / TOKENIZER_FILE)
    _check_added_tokens(folder, config or {}, tokenizer or {}, vocabulary)
    return vocabulary, lowercase


def write_tokenizer(folder: Path, vocabulary: Vocabulary, lowercase: bool, max_length: int) -> None:
    """Writes the three files of a BERT tokenizer into a folder, each whole or not at all."""
    vocabulary.save(folder / VOCABULARY_FILE)
    _write_json(folder / TOKENIZER_FILE, tokenizer_json(vocabulary, lowercase))
    config = {
        "tokenizer_class": "BertTokenizer",
        "do_lower_case": lowercase,
        "strip_accents": None,
        "tokenize_chinese_chars": True,
        "model_max_length": max_length,
        **_SPECIAL_TOKEN_KEYS,
    }
    _write_json(folder / CONFIG_FILE, config)


def _find_folder(folder_or_hub_id: str | Path) -> Path:
    folder = Path(folder_or_hub_id)
    if folder.is_dir():
        return folder
    name = str(folder_or_hub_id)
    if folder.exists() or isinstance(folder_or_hub_id, Path) or not _could_be_hub_id(name):
        fix = "give a model folder, or the id of a model on the Hugging Face Hub"
        raise ModelError("there is no such folder", where=name, fix=fix)
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    files = [VOCABULARY_FILE, TOKENIZER_FILE, CONFIG_FILE, ADDED_FILE]
    try:
        return Path(snapshot_download(name, allow_patterns=files))
    except HFValidationError:
        raise ModelError("is neither a folder nor a model's id", where=name) from None
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        what = f"is no folder here, and the Hub didn't give it ({type(error).__name__})"
        raise ModelError(what, where=name, fix="check the name and the connection") from None


def _could_be_hub_id(name: str) -> bool:
    return name.count("/") <= 1 and not name.startswith((".", "/", "~")) and "\\" not in name


def _read_json(path: Path) -> Json | None:
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ModelError(f"is not JSON ({error})", where=path) from None
    if not isinstance(content, dict):
        raise ModelError("is not a JSON object", where=path)
    return content


def _write_json(path: Path, content: Json) -> None:
    with atomic_file(path) as temporary:
        temporary.write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", "utf-8")


def _part(tokenizer: Json, name: str) -> Json:
    part = tokenizer.get(name)
    return part if isinstance(part, dict) else {}


def _check_tokenizer(tokenizer: Json, path: Path) -> None:
    """Refuses a `tokenizer.json` whose rules are not BERT's."""
    expected = {
        ("model", "type"): "WordPiece",
        ("model", "unk_token"): "[UNK]",
        ("model", "continuing_subword_prefix"): CONTINUATION,
        ("normalizer", "type"): "BertNormalizer",
        ("normalizer", "clean_text"): True,
        ("normalizer", "handle_chinese_chars"): True,
        ("pre_tokenizer", "type"): "BertPreTokenizer",
    }
    for (part, key), value in expected.items():
        found = _part(tokenizer, part).get(key)
        if found != value:
            what = f"{part}.{key} is {json.dumps(found)}, and BERT's WordPiece has {value!r} there"
            raise ModelError(what, where=path, fix="give a model with a BERT tokenizer")


def _check_config(config: Json, lowercase: bool, path: Path) -> None:
    """Refuses a `tokenizer_config.json` whose settings would give other ids than Google's."""
    name = config.get("tokenizer_class")
    if name is not None and str(name).removesuffix("Fast") not in _TOKENIZER_CLASSES:
        what = f"tokenizer_class is {name}, which is not BERT's WordPiece"
        raise ModelError(what, where=path, fix="give a model with a BERT tokenizer")
    for key in ("tokenize_chinese_chars", "do_basic_tokenize"):
        if config.get(key, True) is not True:
            what = f"{key} is {json.dumps(config[key])}, which bertsmith doesn't offer"
            raise ModelError(what, where=path, fix="give a model with a BERT tokenizer")
    for key, token in _SPECIAL_TOKEN_KEYS.items():
        found = config.get(key, token)
        found = found.get("content") if isinstance(found, dict) else found
        if found != token:
            what = f"{key} is {json.dumps(found)}, and BERT's is {token}"
            raise ModelError(what, where=path, fix="give a model with a BERT tokenizer")
    _check_accents(config.get("strip_accents"), lowercase, path)


def _check_accents(strip_accents: bool | None, lowercase: bool, path: Path) -> None:
    if strip_accents is not None and strip_accents != lowercase:
        what = f"strip_accents is {json.dumps(strip_accents)} and lower-casing {lowercase}"
        fix = "bertsmith, as Google's BERT, strips accents where it lower-cases and only there"
        raise ModelError(what, where=path, fix=fix)


def _check_added_tokens(
    folder: Path, config: Json, tokenizer: Json, vocabulary: Vocabulary
) -> None:
    """Refuses tokens beside the vocabulary, in any of the three places where they may stand."""
    added = [
        *((CONFIG_FILE, token) for token in (config.get("added_tokens_decoder") or {}).values()),
        *((TOKENIZER_FILE, token) for token in tokenizer.get("added_tokens") or []),
        *((ADDED_FILE, token) for token in _read_json(folder / ADDED_FILE) or {}),
    ]
    for file, token in added:
        content = token.get("content") if isinstance(token, dict) else token
        if content not in vocabulary.ids:
            what = f"adds the token {content!r}, which is not in the vocabulary"
            fix = f"write a {VOCABULARY_FILE} that holds all tokens in the order of their ids"
            raise ModelError(what, where=folder / file, fix=fix)


def _vocabulary_of(tokenizer: Json, path: Path) -> Vocabulary:
    ids = _part(tokenizer, "model").get("vocab")
    if not isinstance(ids, dict) or set(ids.values()) != set(range(len(ids))):
        raise ModelError("model.vocab doesn't number its tokens from 0 without a gap", where=path)
    return Vocabulary(sorted(ids, key=ids.__getitem__), where=path)


def _find_lowercase(config: Json, tokenizer: Json, vocabulary: Vocabulary) -> bool:
    for found in (config.get("do_lower_case"), _part(tokenizer, "normalizer").get("lowercase")):
        if isinstance(found, bool):
            return found
    words = (token.removeprefix(CONTINUATION) for token in vocabulary.tokens)
    return not any(word.isalpha() and word != word.lower() for word in words)
