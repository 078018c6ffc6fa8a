"""Padding is invisible, packing is invisible, and a causal model doesn't look ahead."""

from dataclasses import replace

import pytest
import torch

from bertsmith.model import BertConfig, PackedSequences, PaddedLayout, packed_attention


def per_token(output):
    return getattr(output, output.per_token[0])


def rows(batch):
    """The sequences of a padded batch as lists of ids and segment ids."""
    mask = batch["attention_mask"]
    return [
        [x[row][mask[row]].tolist() for row in range(len(mask))]
        for x in (batch["input_ids"], batch["token_type_ids"])
    ]


@pytest.mark.parametrize("attention", ["bidirectional", "causal"])
@pytest.mark.parametrize("name", ["BertModel", "BertForPreTraining", "BertForTokenClassification"])
def test_alone_padded_and_packed_are_the_same(name, config, make, ragged_batch, attention):
    model = make(name, BertConfig(**{**vars(config), "attention": attention}))
    padded = per_token(model(**ragged_batch))
    packed = per_token(model.forward_packed(PackedSequences.from_lists(*rows(ragged_batch))))
    start = 0
    for row, length in enumerate([11, 7, 1, 4]):
        alone = per_token(
            model(
                ragged_batch["input_ids"][row : row + 1, :length],
                token_type_ids=ragged_batch["token_type_ids"][row : row + 1, :length],
            )
        )[0]
        assert torch.allclose(padded[row, :length], alone, atol=2e-6)
        assert torch.allclose(packed[start : start + length], alone, atol=2e-6)
        assert not padded[row, length:].any()
        start += length


def test_what_stands_at_padding_does_not_matter(config, make, ragged_batch):
    model = make("BertModel", config)
    other = ragged_batch["input_ids"].where(ragged_batch["attention_mask"], 49 - 7)
    first = model(**ragged_batch)
    second = model(**{**ragged_batch, "input_ids": other})
    assert torch.equal(first.last_hidden_state, second.last_hidden_state)
    assert torch.equal(first.pooler_output, second.pooler_output)


def test_int_and_bool_masks_mean_the_same(config, make, ragged_batch):
    model = make("BertModel", config)
    as_int = {**ragged_batch, "attention_mask": ragged_batch["attention_mask"].int()}
    assert torch.equal(model(**ragged_batch).last_hidden_state, model(**as_int).last_hidden_state)


def test_equal_lengths_take_the_way_without_a_mask():
    equal = PaddedLayout.of(PackedSequences.from_lists([[1, 2], [3, 4]]))
    ragged = PaddedLayout.of(PackedSequences.from_lists([[1, 2], [3]]))
    assert equal.slots is None
    assert equal.key_mask is None
    assert ragged.slots.tolist() == [0, 1, 2]
    assert ragged.key_mask.flatten().tolist() == [True, True, True, False]


def test_a_causal_model_does_not_see_later_tokens(config, make):
    ids = torch.tensor([[3, 9, 12, 30, 8], [4, 4, 7, 0, 0]])
    mask = ids != 0
    changed = ids.clone()
    changed[:, 2] = 41
    for attention, sees in (("causal", False), ("bidirectional", True)):
        model = make("BertModel", BertConfig(**{**vars(config), "attention": attention}))
        before = model(ids, mask).last_hidden_state[:, :2]
        after = model(changed, mask).last_hidden_state[:, :2]
        assert torch.equal(before, after) is not sees


def test_masked_positions_are_rows_of_all_positions(config, make, ragged_batch):
    packed = PackedSequences.from_lists(*rows(ragged_batch))
    positions = torch.tensor([1, 2, 12, 22])
    for name in ("BertForPreTraining", "BertForMaskedLM"):
        model = make(name, config)
        some = per_token(model.forward_packed(packed, positions))
        assert torch.allclose(some, per_token(model.forward_packed(packed))[positions], atol=1e-6)


def test_choices_are_scored_side_by_side(config, make, ragged_batch):
    model = make("BertForMultipleChoice", config)
    packed = PackedSequences.from_lists(*rows(ragged_batch))
    by_two = model.forward_packed(packed, 2).logits
    assert by_two.shape == (2, 2)
    assert torch.equal(by_two.flatten(), model.forward_packed(packed, 4).logits.flatten())


def naive_attention(query, key, value, lengths, *, causal):
    """One sequence, head and query at a time, as the formula is written."""
    output = torch.zeros_like(value)
    for start, stop in zip([0, *lengths.cumsum(0)], lengths.cumsum(0), strict=False):
        for head in range(query.shape[1]):
            for i in range(start, stop):
                end = i + 1 if causal else stop
                scores = key[start:end, head] @ query[i, head] / query.shape[2] ** 0.5
                output[i, head] = scores.softmax(0) @ value[start:end, head]
    return output


def attention_case(lengths):
    lengths = torch.tensor(lengths)
    generator = torch.Generator().manual_seed(0)
    query, key, value = torch.randn(
        (3, int(lengths.sum()), 2, 4), dtype=torch.float64, generator=generator
    )
    packed = PackedSequences.from_lists([[0] * n for n in lengths.tolist()])
    return query, key, value, lengths, PaddedLayout.of(packed)


@pytest.fixture(params=[(5, 2, 3), (3, 3, 3)], ids=["ragged", "equal"], name="case")
def ragged_or_equal_case(request):
    return attention_case(request.param)


#: So small that nothing is dropped, but the way of training is taken.
ALMOST_NONE = 1e-9


@pytest.mark.parametrize("dropout_p", [0.0, ALMOST_NONE])
@pytest.mark.parametrize("causal", [False, True])
def test_attention_is_the_formula(case, causal, dropout_p):
    query, key, value, lengths, layout = case
    got = packed_attention(query, key, value, layout, dropout_p=dropout_p, causal=causal)
    want = naive_attention(query, key, value, lengths, causal=causal)
    assert torch.allclose(got, want, atol=1e-12)


@pytest.mark.parametrize("dropout_p", [0.0, ALMOST_NONE])
@pytest.mark.parametrize("causal", [False, True])
def test_attention_has_the_right_gradients(case, causal, dropout_p):
    *inputs, _, layout = case
    inputs = [x.requires_grad_() for x in inputs]

    def attend(query, key, value):
        return packed_attention(query, key, value, layout, dropout_p=dropout_p, causal=causal)

    assert torch.autograd.gradcheck(attend, inputs)


@pytest.mark.parametrize("dropout_p", [0.0, ALMOST_NONE])
def test_without_its_mask_attention_would_be_wrong(dropout_p):
    query, key, value, lengths, layout = attention_case((5, 2, 3))
    blind = replace(layout, key_mask=None)
    got = packed_attention(query, key, value, blind, dropout_p=dropout_p)
    want = naive_attention(query, key, value, lengths, causal=False)
    assert not torch.allclose(got, want, atol=1e-3)
