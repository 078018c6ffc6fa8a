"""The names of the weights: ours, and Hugging Face's.

One table, read from left to right when saving and from right to left when loading. Ours differ in
that query, key and value are one matrix; theirs are its thirds.
"""

import re
from collections.abc import Mapping

import torch
from torch import Tensor

__all__ = ["canonical", "hf_names", "is_redundant", "to_hf_tensors"]

#: Our module → theirs, in the encoder (theirs has the prefix "bert." in a model with a head).
_ENCODER = {
    "embeddings.word": "embeddings.word_embeddings",
    "embeddings.position": "embeddings.position_embeddings",
    "embeddings.token_type": "embeddings.token_type_embeddings",
    "embeddings.layer_norm": "embeddings.LayerNorm",
    "pooler.dense": "pooler.dense",
}

#: Our module → theirs, inside layer i.
_LAYER = {
    "attention.query_key_value": (
        "attention.self.query",
        "attention.self.key",
        "attention.self.value",
    ),
    "attention.output": ("attention.output.dense",),
    "attention_layer_norm": ("attention.output.LayerNorm",),
    "intermediate": ("intermediate.dense",),
    "output": ("output.dense",),
    "output_layer_norm": ("output.LayerNorm",),
}

#: Our module → theirs, in heads.
_HEADS = {
    "mlm_head": "cls.predictions",
    "mlm_head.transform": "cls.predictions.transform.dense",
    "mlm_head.layer_norm": "cls.predictions.transform.LayerNorm",
    "nsp_head": "cls.seq_relationship",
    "classifier": "classifier",
    "qa_outputs": "qa_outputs",
}

_IN_LAYER = re.compile(r"encoder\.layers\.(\d+)\.(.+)")


def hf_names(name: str) -> tuple[str, ...]:
    """Returns Hugging Face's name for one of our weights; three for a query-key-value weight.

    Example:
        >>> hf_names("bert.encoder.layers.3.output_layer_norm.weight")
        ('bert.encoder.layer.3.output.LayerNorm.weight',)
        >>> hf_names("encoder.layers.0.attention.query_key_value.bias")[2]
        'encoder.layer.0.attention.self.value.bias'
    """
    path, _, kind = name.rpartition(".")
    module = path.removeprefix("bert.")
    prefix = path.removesuffix(module)
    if match := _IN_LAYER.fullmatch(module):
        index, rest = match.groups()
        return tuple(f"{prefix}encoder.layer.{index}.{part}.{kind}" for part in _LAYER[rest])
    table = _ENCODER if module in _ENCODER else _HEADS
    return (f"{prefix}{table[module]}.{kind}",)


def canonical(name: str) -> str:
    """Returns the present name of a weight of any age, without the prefix "bert.".

    Example:
        >>> canonical("bert.embeddings.LayerNorm.gamma")
        'embeddings.LayerNorm.weight'
    """
    name = name.removeprefix("bert.")
    if name == "cls.predictions.decoder.bias":
        return "cls.predictions.bias"
    path, _, kind = name.rpartition(".")
    return f"{path}.{ {'gamma': 'weight', 'beta': 'bias'}.get(kind, kind) }"


def is_redundant(name: str) -> bool:
    """Whether a file's tensor says nothing: a table 0, 1, 2, …, or the tied output weights."""
    return name.endswith((".position_ids", ".token_type_ids", "cls.predictions.decoder.weight"))


def to_hf_tensors(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Returns our state under Hugging Face's names, query, key and value apart.

    Example:
        >>> state = {"encoder.layers.0.attention.query_key_value.bias": torch.arange(3.0)}
        >>> list(to_hf_tensors(state).values())
        [tensor([0.]), tensor([1.]), tensor([2.])]
    """
    theirs: dict[str, Tensor] = {}
    for name, tensor in state.items():
        names = hf_names(name)
        parts = torch.chunk(tensor, len(names))
        theirs.update(zip(names, (part.contiguous() for part in parts), strict=True))
    return theirs
