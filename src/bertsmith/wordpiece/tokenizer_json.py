"""Our tokenizer in the words of Hugging Face's `tokenizers`, which reads it from one JSON file."""

from typing import Any

from bertsmith.wordpiece.matching import MAX_WORD_LENGTH
from bertsmith.wordpiece.vocabulary import CONTINUATION, SPECIAL_TOKENS, Vocabulary

__all__ = ["tokenizer_json"]


def tokenizer_json(vocabulary: Vocabulary, lowercase: bool) -> dict[str, Any]:
    """Returns the content of the `tokenizer.json` for the same tokenizer.

    Args:
        vocabulary: the pieces.
        lowercase: whether text is lower-cased and loses its accents.
    """
    cls_token, sep_token = (
        {"id": token, "ids": [vocabulary.ids[token]], "tokens": [token]}
        for token in ("[CLS]", "[SEP]")
    )
    special = [_special("[CLS]", 0), _sequence("A", 0), _special("[SEP]", 0)]
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {
                "id": vocabulary.ids[token],
                "content": token,
                "single_word": False,
                "lstrip": False,
                "rstrip": False,
                "normalized": False,
                "special": True,
            }
            for token in sorted(SPECIAL_TOKENS, key=vocabulary.ids.__getitem__)
        ],
        "normalizer": {
            "type": "BertNormalizer",
            "clean_text": True,
            "handle_chinese_chars": True,
            "strip_accents": None,
            "lowercase": lowercase,
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": special,
            "pair": [*special, _sequence("B", 1), _special("[SEP]", 1)],
            "special_tokens": {"[CLS]": cls_token, "[SEP]": sep_token},
        },
        "decoder": {"type": "WordPiece", "prefix": CONTINUATION, "cleanup": True},
        "model": {
            "type": "WordPiece",
            "unk_token": "[UNK]",
            "continuing_subword_prefix": CONTINUATION,
            "max_input_chars_per_word": MAX_WORD_LENGTH,
            "vocab": vocabulary.ids,
        },
    }


def _special(token: str, token_type: int) -> dict[str, Any]:
    return {"SpecialToken": {"id": token, "type_id": token_type}}


def _sequence(name: str, token_type: int) -> dict[str, Any]:
    return {"Sequence": {"id": name, "type_id": token_type}}
