"""Vocabularies with a planted defect each, and a fitting one."""

from bertsmith.wordpiece import SPECIAL_TOKENS, Tokenizer, Vocabulary
from doctor_corpora import WORDS

LETTERS = "abcdefghijklmnopqrstuvwxyz"
PIECES = [*LETTERS, *(f"##{letter}" for letter in LETTERS), "."]


def vocabulary(*tokens, special=SPECIAL_TOKENS):
    return Vocabulary(dict.fromkeys([*special, *tokens]))


def fitting():
    """60 words, all letters: 118 entries, filled up to 120."""
    tokens = dict.fromkeys([*PIECES, *WORDS])
    return vocabulary(*tokens, *(f"[unused{n}]" for n in range(-(len(tokens) + 5) % 8)))


def _cased():
    return vocabulary(*PIECES, *WORDS, *(word.title() for word in WORDS))


VOCABULARY_DEFECTS = {
    "unknown_tokens": lambda: Tokenizer(vocabulary(*WORDS[:-2], ".")),
    "missing_characters": lambda: Tokenizer(vocabulary(*WORDS[:-1], ".")),
    "many_pieces": lambda: Tokenizer(vocabulary(*PIECES)),
    "casing": lambda: Tokenizer(_cased()),
    "impossible_entries": lambda: Tokenizer(vocabulary(*PIECES, *WORDS, "Berlin", "café", "a-b")),
    "unseen_entries": lambda: Tokenizer(vocabulary(*PIECES, *WORDS, *map(str, range(200)))),
    "padding_id": lambda: Tokenizer(
        vocabulary(*PIECES, *WORDS, special=("[UNK]", "[PAD]", "[CLS]", "[SEP]", "[MASK]"))
    ),
    "uneven_size": lambda: Tokenizer(vocabulary(*fitting().tokens, "[unused99]")),
}
"""Name of a finding → the tokenizer with the defect."""
