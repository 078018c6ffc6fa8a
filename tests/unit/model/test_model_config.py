import json

import pytest
import torch
import transformers
from transformers.activations import ACT2FN

from bertsmith import model as room
from bertsmith.errors import ModelError
from bertsmith.model import SIZES, BertConfig, BertForPreTraining, BertModel
from bertsmith.model.activations import activation
from bertsmith.model.config_json import _ACTIVATIONS, from_hf, to_hf

#: Published: bert-base-uncased and bert-large-uncased without heads; Google's README gives the
#: small ones in millions (tiny 4.4, mini 11.3, small 29.1, medium 41.7 with both heads).
PUBLISHED_ENCODERS = {"base": 109_482_240, "large": 335_141_888}
PUBLISHED_MILLIONS = {"tiny": 4.4, "mini": 11.3, "small": 29.1, "medium": 41.7, "base": 110.1}


@pytest.mark.parametrize("size", SIZES)
def test_every_size_has_as_many_weights_as_theirs(size, head):
    config = BertConfig.of_size(size)
    with torch.device("meta"):
        ours = getattr(room, head)(config)
        theirs = getattr(transformers, head)(transformers.BertConfig(**to_hf(config, head)))
    assert ours.num_parameters() == theirs.num_parameters()


@pytest.mark.parametrize("size", PUBLISHED_ENCODERS)
def test_the_encoder_has_the_published_count(size):
    with torch.device("meta"):
        assert BertModel(BertConfig.of_size(size)).num_parameters() == PUBLISHED_ENCODERS[size]


@pytest.mark.parametrize("size", PUBLISHED_MILLIONS)
def test_with_both_heads_it_has_the_published_millions(size):
    with torch.device("meta"):
        count = BertForPreTraining(BertConfig.of_size(size)).num_parameters()
    assert count / 1e6 == pytest.approx(PUBLISHED_MILLIONS[size], rel=0.02)


@pytest.mark.parametrize("name", _ACTIVATIONS)
def test_an_activation_of_theirs_is_the_formula_we_take_it_for(name):
    x = torch.linspace(-6, 6, 1001, dtype=torch.float64)
    ours = activation(from_hf({"hidden_act": name}).hidden_act)(x)
    assert (ours - ACT2FN[name](x)).abs().max() < 1e-9


def test_the_two_gelus_are_told_apart():
    x = torch.linspace(-3, 3, 101)
    assert (activation("gelu_tanh")(x) - activation("gelu_erf")(x)).abs().max() > 1e-4


@pytest.mark.parametrize("hidden_act", ["gelu_tanh", "gelu_erf", "relu"])
@pytest.mark.parametrize("attention", ["bidirectional", "causal"])
def test_json_there_and_back(hidden_act, attention):
    config = BertConfig(
        hidden_act=hidden_act,
        attention=attention,
        classifier_dropout=0.3,
        labels=("only",),
        problem_type="regression",
        pad_token_id=7,
        layer_norm_eps=1e-7,
    )
    assert from_hf(json.loads(json.dumps(to_hf(config, "BertModel")))) == config


def test_a_config_of_the_present_library_is_read(tmp_path):
    theirs = transformers.BertConfig(is_decoder=True, num_labels=4, classifier_dropout=0.2)
    theirs.save_pretrained(tmp_path)
    ours = from_hf(json.loads((tmp_path / "config.json").read_text()))
    assert ours == BertConfig(
        hidden_act="gelu_erf",
        attention="causal",
        classifier_dropout=0.2,
        labels=("LABEL_0", "LABEL_1", "LABEL_2", "LABEL_3"),
    )


def test_a_config_of_2019_is_read():
    old = {
        "attention_probs_dropout_prob": 0.1,
        "finetuning_task": None,
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.1,
        "hidden_size": 768,
        "initializer_range": 0.02,
        "intermediate_size": 3072,
        "is_decoder": False,
        "max_position_embeddings": 512,
        "num_attention_heads": 12,
        "num_hidden_layers": 12,
        "num_labels": 2,
        "output_attentions": False,
        "output_past": True,
        "pad_token_id": None,
        "pruned_heads": {},
        "torchscript": False,
        "type_vocab_size": 2,
        "use_bfloat16": False,
        "vocab_size": 30522,
    }
    assert from_hf(old) == BertConfig(hidden_act="gelu_erf")


@pytest.mark.parametrize(
    ("theirs", "message"),
    [
        ({"model_type": "roberta"}, "model_type is 'roberta'"),
        ({"position_embedding_type": "relative_key"}, "position_embedding_type"),
        ({"add_cross_attention": True}, "add_cross_attention is True"),
        ({"pruned_heads": {"0": [1]}}, "pruned_heads"),
        ({"quantization_config": {"bits": 4}}, "quantization_config"),
        ({"hidden_act": "silu"}, "hidden_act is 'silu', not one of gelu"),
        ({"hidden_act": ["gelu"]}, "hidden_act is"),
        ({"id2label": {"0": "a", "2": "b"}}, "id2label"),
        ({"id2label": ["a"]}, "id2label"),
        ({"num_labels": 0}, "num_labels is 0"),
        ({"vocab_size": "many"}, "vocab_size is 'many'"),
        ({"hidden_size": 770}, "hidden_size is 770, not a multiple of num_attention_heads 12"),
        ({"hidden_dropout_prob": 1.0}, "hidden_dropout_prob is 1.0"),
        ({"problem_type": "poetry"}, "problem_type is 'poetry'"),
    ],
)
@pytest.mark.usefixtures("as_installed")
def test_a_config_that_would_change_the_numbers_is_refused_in_one_line(theirs, message):
    with pytest.raises(ModelError, match=r"^folder/config\.json: ") as caught:
        from_hf(theirs, "folder/config.json")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"vocab_size": 0},
        {"vocab_size": True},
        {"num_hidden_layers": 2.0},
        {"hidden_dropout_prob": -0.1},
        {"classifier_dropout": "0.1"},
        {"layer_norm_eps": 0.0},
        {"hidden_act": "gelu"},
        {"attention": "sideways"},
        {"pad_token_id": 30522},
        {"labels": ()},
        {"labels": ("a", "a")},
        {"labels": ["a", "b"]},
        {"no_such_field": 1},
    ],
)
@pytest.mark.usefixtures("as_installed")
def test_a_bad_field_is_named(changes):
    with pytest.raises(ModelError, match=next(iter(changes))):
        BertConfig.of_size("tiny", **changes)


def test_an_unknown_size_is_refused():
    with pytest.raises(ModelError, match="no such size 'huge'; use tiny, mini"):
        BertConfig.of_size("huge")
