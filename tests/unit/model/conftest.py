import jaxtyping
import pytest
import torch

from bertsmith import model as room
from bertsmith.model import BertConfig
from bertsmith.model.cpu_kernels import float_products, head_attention
from bertsmith.model.precision import autocast
from kernel_checks import needs_float_products, needs_tiles, no_kernels

HEADS = [
    "BertModel",
    "BertForPreTraining",
    "BertForMaskedLM",
    "BertForSequenceClassification",
    "BertForTokenClassification",
    "BertForQuestionAnswering",
    "BertForMultipleChoice",
]


BOTH_KINDS = [
    pytest.param("in_bf16", marks=needs_tiles),
    pytest.param("in_float32", marks=needs_float_products),
]


@pytest.fixture(params=HEADS)
def head(request) -> str:
    """The name of every model class."""
    return request.param


@pytest.fixture
def as_installed(monkeypatch):
    """Turns the tests' shape checks off, so that wrong arguments get to our own checks."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


@pytest.fixture
def config() -> BertConfig:
    return BertConfig(
        vocab_size=50,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=48,
        max_position_embeddings=20,
        labels=("per", "loc", "org"),
    )


def randomize(model: torch.nn.Module, seed: int = 0) -> torch.nn.Module:
    """Gives every weight, biases and LayerNorms too, a value that makes a mistake visible."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in sorted(model.named_parameters()):
            noise = torch.randn(parameter.shape, generator=generator) * 0.2
            is_scale = parameter.ndim == 1 and name.endswith("weight")
            parameter.copy_(noise + 1 if is_scale else noise)
    return model.eval()


@pytest.fixture
def make():
    """Makes a model of our own with random weights: make(head, config)."""

    def make(name: str, config: BertConfig):
        return randomize(getattr(room, name)(config))

    return make


@pytest.fixture
def ragged_batch():
    """Padded ids, a right-padded mask, segment ids."""
    generator = torch.Generator().manual_seed(1)
    input_ids = torch.randint(5, 50, (4, 11), generator=generator)
    lengths = torch.tensor([11, 7, 1, 4])
    attention_mask = torch.arange(11)[None] < lengths[:, None]
    token_type_ids = (torch.arange(11)[None] >= lengths[:, None] // 2).long()
    return {
        "input_ids": input_ids,
        "attention_mask": attention_mask,
        "token_type_ids": token_type_ids,
    }


@pytest.fixture
def in_bf16():
    """Autocast to bf16 on the CPU."""
    with autocast("bf16", torch.device("cpu")):
        yield


@pytest.fixture
def without_kernels(monkeypatch):
    """A context in which there are no C kernels."""
    return lambda: no_kernels(monkeypatch)


@pytest.fixture
def in_float32(monkeypatch):
    """Our products of float32 on any processor, of few rows too."""
    for module in (float_products, head_attention):
        monkeypatch.setattr(module, "has_float_products", lambda: True)
    monkeypatch.setattr(float_products, "_FEWEST_TRAINED_ROWS", 1)


@pytest.fixture(params=BOTH_KINDS)
def kind(request):
    """The kind of numbers that a layer's kernels take: bf16 or float32."""
    request.getfixturevalue(request.param)
    return request.param
