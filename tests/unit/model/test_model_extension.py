import copy

import pytest
import torch

from bertsmith.errors import ModelError
from bertsmith.model import (
    BertConfig,
    BertForMaskedLM,
    BertForPreTraining,
    BertForSequenceClassification,
    BertModel,
    extend_embeddings,
)

PIECES = {3: [6, 7, 8], 20: [5], 21: [9, 9, 10, 11]}
INPUT_IDS = torch.tensor([[2, 5, 9, 4, 3, 0], [2, 19, 8, 7, 6, 3]])


def tiny(kind=BertForPreTraining):
    config = BertConfig.of_size(
        "tiny", vocab_size=20, hidden_size=16, intermediate_size=32, max_position_embeddings=16
    )
    model = kind(config, generator=torch.Generator().manual_seed(0)).eval()
    if hasattr(model, "mlm_head"):
        torch.nn.init.normal_(model.mlm_head.bias, generator=torch.Generator().manual_seed(1))
    return model


@pytest.fixture
def models():
    before = tiny()
    after = copy.deepcopy(before)
    extend_embeddings(after, PIECES)
    return before, after


def test_new_rows_are_the_means_of_the_old_pieces(models):
    before, after = models
    for new, old in (
        (after.bert.word_embeddings, before.bert.word_embeddings),
        (after.mlm_head.bias, before.mlm_head.bias),
    ):
        assert new.shape[0] == 22
        for token_id in range(22):
            wanted = old[PIECES[token_id]].mean(0) if token_id in PIECES else old[token_id]
            assert torch.equal(new[token_id], wanted), token_id


def test_pieces_are_read_before_rows_are_written():
    """Token 5 is replaced and is a piece of token 20."""
    model = tiny()
    old = model.bert.word_embeddings.clone()
    extend_embeddings(model, {5: [6, 7], 20: [5, 6]})
    assert torch.equal(model.bert.word_embeddings[20], old[5:7].mean(0))


def test_text_without_new_tokens_gives_the_same(models):
    """3 stands for an [unused] token here, so no text has it."""
    before, after = models
    input_ids = INPUT_IDS.where(INPUT_IDS != 3, 4)
    mask = input_ids != 0
    old, new = before(input_ids, mask), after(input_ids, mask)
    assert torch.equal(old.seq_relationship_logits, new.seq_relationship_logits)
    kept = [token_id for token_id in range(20) if token_id != 3]
    torch.testing.assert_close(
        new.prediction_logits[..., kept], old.prediction_logits[..., kept], atol=1e-6, rtol=0
    )
    assert torch.equal(
        before.bert(input_ids, mask).last_hidden_state,
        after.bert(input_ids, mask).last_hidden_state,
    )


def test_a_new_token_alone_is_what_its_only_piece_was(models):
    _, after = models
    as_piece, as_token = torch.tensor([[2, 5, 4]]), torch.tensor([[2, 20, 4]])
    assert torch.equal(
        after.bert(as_piece).last_hidden_state, after.bert(as_token).last_hidden_state
    )


def test_output_weights_stay_tied_and_train(models):
    _, after = models
    output = after(torch.tensor([[2, 20, 21, 3]]))
    assert output.prediction_logits.shape == (1, 4, 22)
    output.prediction_logits.square().mean().backward()
    names = {name for name, parameter in after.named_parameters() if parameter.grad is not None}
    assert {"bert.embeddings.word.weight", "mlm_head.bias"} <= names
    assert after.mlm_head(torch.ones(1, 16), after.bert.word_embeddings).shape == (1, 22)
    with torch.no_grad():
        after.bert.word_embeddings[21] += 1
        moved = after(torch.tensor([[2, 5, 3]])).prediction_logits - output.prediction_logits[:, :3]
    assert moved[..., 21].abs().min() > 0


def test_saved_and_loaded(models, tmp_path):
    _, after = models
    after.save_pretrained(tmp_path)
    loaded = BertForPreTraining.from_pretrained(tmp_path)
    assert loaded.config.vocab_size == 22
    ids = torch.tensor([[2, 20, 21, 3, 19]])
    assert torch.equal(loaded(ids).prediction_logits, after(ids).prediction_logits)


@pytest.mark.parametrize("kind", [BertModel, BertForMaskedLM, BertForSequenceClassification])
def test_every_model_can_be_extended(kind, tmp_path):
    model = tiny(kind)
    extend_embeddings(model, PIECES)
    model.save_pretrained(tmp_path)
    loaded = kind.from_pretrained(tmp_path)
    assert loaded.config.vocab_size == model.config.vocab_size == 22
    model(torch.tensor([[2, 21, 3]]))


@pytest.mark.parametrize(
    ("pieces", "message"),
    [
        ({21: [5]}, "from id 20 on"),
        ({20: [5], 22: [5]}, "without a gap"),
        ({20: []}, "token 20 is made of \\[\\]"),
        ({20: [20]}, "the model lacks"),
        ({4: [-1]}, "the model lacks"),
        ({-1: [3]}, "the model lacks"),
    ],
)
def test_tokens_that_cannot_be_added(pieces, message):
    model = tiny()
    before = model.bert.word_embeddings.clone()
    with pytest.raises(ModelError, match=message):
        extend_embeddings(model, pieces)
    assert torch.equal(model.bert.word_embeddings, before)
