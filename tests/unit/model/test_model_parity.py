"""The same weights give the same numbers as in `transformers`."""

import json

import pytest
import torch
import transformers

from bertsmith import model as room
from bertsmith.model import BertConfig

TOLERANCE = 1e-5
#: Our output field → theirs.
FIELDS = {
    "BertModel": {"last_hidden_state": "last_hidden_state", "pooler_output": "pooler_output"},
    "BertForPreTraining": {
        "prediction_logits": "prediction_logits",
        "seq_relationship_logits": "seq_relationship_logits",
    },
    "BertForQuestionAnswering": {"start_logits": "start_logits", "end_logits": "end_logits"},
}
PER_SEQUENCE = {"pooler_output", "seq_relationship_logits"}


def both(head, config, make, folder):
    """Our model, and theirs with the same weights, through a folder."""
    if head == "BertForQuestionAnswering":
        config = BertConfig(**{**vars(config), "labels": ("LABEL_0", "LABEL_1")})
    ours = make(head, config)
    ours.save_pretrained(folder)
    theirs = getattr(transformers, head).from_pretrained(folder)
    return ours, theirs.eval()


def assert_agrees(head, ours, theirs, batch):
    mask = batch.get("attention_mask", torch.ones_like(batch["input_ids"])).bool()
    with torch.no_grad():
        got = ours(**batch, output_hidden_states=True)
        want = theirs(**{name: x.long() for name, x in batch.items()}, output_hidden_states=True)
    flat_mask = mask.flatten(0, -2)
    for our_name, their_name in FIELDS.get(head, {"logits": "logits"}).items():
        a, b = getattr(got, our_name), want[their_name]
        assert a.shape == b.shape
        whole = our_name in PER_SEQUENCE or a.shape[:2] != mask.shape
        assert_close(a, b) if whole else assert_close_at(a, b, mask)
    assert len(got.hidden_states) == len(want.hidden_states) == ours.config.num_hidden_layers + 1
    for a, b in zip(got.hidden_states, want.hidden_states, strict=True):
        assert_close_at(a, b, flat_mask)


def assert_close(ours, theirs):
    assert ours.abs().max() > 0.1
    assert (ours - theirs).abs().max() < TOLERANCE


def assert_close_at(ours, theirs, mask):
    assert_close(ours[mask], theirs[mask])
    assert not ours[~mask].any()


def choices(batch):
    """The same sequences as two questions with two choices."""
    return {name: x.unflatten(0, (2, 2)) for name, x in batch.items()}


@pytest.mark.parametrize("attention", ["bidirectional", "causal"])
@pytest.mark.parametrize("hidden_act", ["gelu_tanh", "gelu_erf"])
def test_every_head_agrees(head, config, make, ragged_batch, tmp_path, hidden_act, attention):
    config = BertConfig(**{**vars(config), "hidden_act": hidden_act, "attention": attention})
    ours, theirs = both(head, config, make, tmp_path)
    is_choice = head == "BertForMultipleChoice"
    shape = choices if is_choice else dict
    whole = {name: x for name, x in ragged_batch.items() if name != "attention_mask"}
    alone = {name: x[:, :1] if is_choice else x[:1] for name, x in shape(whole).items()}
    for batch in (shape(ragged_batch), shape(whole), alone, {"input_ids": alone["input_ids"]}):
        assert_agrees(head, ours, theirs, batch)


@pytest.mark.parametrize("attention", ["bidirectional", "causal"])
def test_left_padding_agrees_at_every_token(config, make, ragged_batch, tmp_path, attention):
    config = BertConfig(**{**vars(config), "attention": attention})
    ours, theirs = both("BertForMaskedLM", config, make, tmp_path)
    batch = {**ragged_batch, "attention_mask": ragged_batch["attention_mask"].flip(1)}
    assert_agrees("BertForMaskedLM", ours, theirs, batch)


def test_a_hole_in_the_mask_agrees_at_every_token(config, make, ragged_batch, tmp_path):
    ours, theirs = both("BertForMaskedLM", config, make, tmp_path)
    mask = ragged_batch["attention_mask"].clone()
    mask[:2, 2:4] = False
    assert_agrees("BertForMaskedLM", ours, theirs, {**ragged_batch, "attention_mask": mask})


def test_a_model_of_theirs_survives_us_bit_for_bit(head, config, tmp_path):
    theirs = getattr(transformers, head)(
        transformers.BertConfig(**json.loads(json.dumps(_their_config(config))), num_labels=2)
    )
    theirs.save_pretrained(tmp_path / "theirs")
    ours = getattr(room, head).from_pretrained(tmp_path / "theirs")
    assert ours.loading_report.missing == ours.loading_report.unused == ()
    ours.save_pretrained(tmp_path / "ours")
    back = getattr(transformers, head).from_pretrained(tmp_path / "ours")
    assert_same_state(theirs.state_dict(), back.state_dict())
    for name in _their_config(config):
        assert getattr(back.config, name) == getattr(theirs.config, name)


def test_a_model_of_ours_survives_them_bit_for_bit(head, config, make, tmp_path):
    ours, theirs = both(head, config, make, tmp_path / "ours")
    theirs.save_pretrained(tmp_path / "theirs")
    back = getattr(room, head).from_pretrained(tmp_path / "theirs")
    assert_same_state(ours.state_dict(), back.state_dict())
    assert back.config == ours.config


def test_their_auto_classes_open_a_folder_of_ours(config, make, tmp_path):
    make("BertForPreTraining", config).save_pretrained(tmp_path)
    opened, info = transformers.AutoModelForPreTraining.from_pretrained(
        tmp_path, output_loading_info=True
    )
    assert type(opened) is transformers.BertForPreTraining
    assert not any(info[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    assert opened.config.id2label == {0: "per", 1: "loc", 2: "org"}


def assert_same_state(first, second):
    assert first.keys() == second.keys()
    for name, tensor in first.items():
        assert torch.equal(tensor, second[name]), name


def _their_config(config):
    return {
        name: getattr(config, name)
        for name in (
            "vocab_size",
            "hidden_size",
            "num_hidden_layers",
            "num_attention_heads",
            "intermediate_size",
            "max_position_embeddings",
        )
    }
