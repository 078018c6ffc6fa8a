from pathlib import Path

import pytest
import torch

from bertsmith import BertConfig, BertForPreTraining, BertForSequenceClassification, Tokenizer
from bertsmith.errors import ModelError
from bertsmith.model import BertForMaskedLM
from bertsmith.training.initial_model import load_initial_model
from bertsmith.wordpiece import SPECIAL_TOKENS, Vocabulary

TOKENS = [*SPECIAL_TOKENS, "[unused0]", "a", "b", "##a", "##b"]


@pytest.fixture
def folder(tmp_path):
    config = BertConfig.of_size(
        "tiny", vocab_size=len(TOKENS), hidden_size=16, intermediate_size=32
    )
    model = BertForPreTraining(config, generator=torch.Generator().manual_seed(0))
    model.save_pretrained(tmp_path)
    Tokenizer(Vocabulary(TOKENS)).save_pretrained(tmp_path)
    return str(tmp_path)


def load(folder, tokens, *, lowercase=True):
    told = []
    tokenizer = Tokenizer(Vocabulary(tokens), lowercase=lowercase)
    return load_initial_model(folder, tokenizer, told.append), told


def test_the_models_own_vocabulary(folder):
    model, told = load(folder, TOKENS)
    assert told == []
    assert torch.equal(
        model.bert.word_embeddings, BertForPreTraining.from_pretrained(folder).bert.word_embeddings
    )


@pytest.mark.parametrize(
    ("kind", "lacking"),
    [
        (BertForMaskedLM, "the pooler, the next-sentence head"),
        (BertForSequenceClassification, "the masked-LM head, the next-sentence head"),
    ],
)
def test_heads_that_start_afresh_are_told(folder, kind, lacking):
    kind.from_pretrained(folder).save_pretrained(Path(folder))
    _, told = load(folder, TOKENS)
    assert told == [f"{folder}: lacks {lacking}: fresh weights"]


def test_an_extended_vocabulary(folder):
    tokens = [*TOKENS, "ab", "##ba", "xyz"]
    tokens[5] = "bab"
    model, told = load(folder, tokens)
    assert told == [f"{folder}: 4 new tokens start as the mean of their pieces"]
    old = BertForPreTraining.from_pretrained(folder)
    rows = model.bert.word_embeddings
    ids = {token: token_id for token_id, token in enumerate(TOKENS)}
    for token, pieces in (
        ("bab", ["b", "##a", "##b"]),
        ("ab", ["a", "##b"]),
        ("##ba", ["##b", "##a"]),
        ("xyz", ["[UNK]"]),
        ("b", ["b"]),
    ):
        wanted = old.bert.word_embeddings[[ids[piece] for piece in pieces]].mean(0)
        assert torch.equal(rows[tokens.index(token)], wanted), token
    assert model.config.vocab_size == len(tokens)
    old_text, new_text = (
        Tokenizer(Vocabulary(names))(["a b a", "ba"]) for names in (TOKENS, tokens)
    )
    assert torch.equal(
        old.bert(**old_text).last_hidden_state, model.bert(**new_text).last_hidden_state
    )


@pytest.mark.parametrize(
    "tokens", [TOKENS[:-1], [*TOKENS[:-2], "##b", "##a"], ["a", *SPECIAL_TOKENS, *TOKENS[7:], "x"]]
)
def test_another_vocabulary(folder, tokens):
    with pytest.raises(ModelError, match="neither the model's nor an extension") as error:
        load(folder, tokens)
    assert "vocab extend" in str(error.value)
    assert "\n" not in str(error.value)


def test_another_casing_is_told(folder):
    model, told = load(folder, TOKENS, lowercase=False)
    assert len(told) == 1
    assert "lower-cases text, the store's keeps case" in told[0]
    assert model.config.vocab_size == len(TOKENS)
