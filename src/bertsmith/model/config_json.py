"""Hugging Face's config.json, from and to `BertConfig`."""

from collections.abc import Mapping
from typing import Any

from bertsmith.errors import ModelError
from bertsmith.model.config import BertConfig

__all__ = ["from_hf", "to_hf"]

#: Fields that have the same name and the same meaning on both sides.
_SAME = (
    "vocab_size",
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "intermediate_size",
    "hidden_dropout_prob",
    "attention_probs_dropout_prob",
    "max_position_embeddings",
    "type_vocab_size",
    "initializer_range",
    "layer_norm_eps",
    "pad_token_id",
    "classifier_dropout",
    "problem_type",
)

#: Their name of an activation → ours. Several of theirs are one formula.
_ACTIVATIONS = {
    "gelu": "gelu_erf",
    "gelu_python": "gelu_erf",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "gelu_fast": "gelu_tanh",
    "relu": "relu",
}
_ACTIVATIONS_BACK = {"gelu_erf": "gelu", "gelu_tanh": "gelu_new", "relu": "relu"}

#: Settings that change the numbers, and that we only know with this value (or without the key).
_ONLY: dict[str, Any] = {
    "model_type": "bert",
    "position_embedding_type": "absolute",
    "add_cross_attention": False,
    "is_encoder_decoder": False,
    "pruned_heads": {},
    "quantization_config": {},
}


def to_hf(config: BertConfig, architecture: str) -> dict[str, Any]:
    """Returns what `transformers` reads from config.json.

    Args:
        config: the model's config.
        architecture: the class that the weights belong to, such as "BertForPreTraining".

    Example:
        >>> theirs = to_hf(BertConfig.of_size("tiny"), "BertForMaskedLM")
        >>> theirs["hidden_act"], theirs["is_decoder"], theirs["id2label"]
        ('gelu_new', False, {'0': 'LABEL_0', '1': 'LABEL_1'})
    """
    same = {name: getattr(config, name) for name in _SAME}
    if config.problem_type is None:
        del same["problem_type"]
    return {
        **same,
        "architectures": [architecture],
        "hidden_act": _ACTIVATIONS_BACK[config.hidden_act],
        "id2label": {str(i): label for i, label in enumerate(config.labels)},
        "is_decoder": config.attention == "causal",
        "label2id": {label: i for i, label in enumerate(config.labels)},
        "model_type": "bert",
        "position_embedding_type": "absolute",
        "tie_word_embeddings": True,
        "use_cache": True,
    }


def from_hf(theirs: Mapping[str, Any], where: str = "config.json", **changes: Any) -> BertConfig:
    """Reads a config.json of `transformers`, of any age.

    A key that is absent has the value that `transformers` gives it. Keys that don't matter to the
    numbers are ignored; a setting that would change them and that we don't have is refused.

    Args:
        theirs: the JSON object.
        where: the file's name, for messages.
        **changes: fields to set otherwise, whatever the file says.

    Raises:
        ModelError: if the file describes another kind of model, or a value is out of range.

    Example:
        >>> from_hf({"hidden_act": "gelu", "num_labels": 3}).labels
        ('LABEL_0', 'LABEL_1', 'LABEL_2')
    """
    for key, value in _ONLY.items():
        if theirs.get(key) not in (None, value):
            raise ModelError(f"{key} is {theirs[key]!r}, which this BERT doesn't have", where=where)
    ours = {name: theirs[name] for name in _SAME if name in theirs}
    if ours.get("pad_token_id", 0) is None:
        del ours["pad_token_id"]
    activation = theirs.get("hidden_act", "gelu")
    if not isinstance(activation, str) or activation not in _ACTIVATIONS:
        known = ", ".join(_ACTIVATIONS)
        raise ModelError(f"hidden_act is {activation!r}, not one of {known}", where=where)
    ours["hidden_act"] = _ACTIVATIONS[activation]
    ours["attention"] = "causal" if theirs.get("is_decoder") else "bidirectional"
    if "labels" not in changes:
        ours["labels"] = _labels(theirs, where)
    try:
        return BertConfig.of_fields({**ours, **changes})
    except ModelError as error:
        raise ModelError(error.what, where=where) from error


def _labels(theirs: Mapping[str, Any], where: str) -> tuple[str, ...]:
    given = theirs.get("id2label")
    if given is None:
        num_labels = theirs.get("num_labels", 2)
        if not isinstance(num_labels, int) or num_labels < 1:
            raise ModelError(
                f"num_labels is {num_labels!r}, not a whole number above 0", where=where
            )
        return tuple(f"LABEL_{i}" for i in range(num_labels))
    try:
        by_id = {int(i): str(label) for i, label in given.items()}
        return tuple(by_id[i] for i in range(len(given)))
    except (AttributeError, ValueError, KeyError) as error:
        raise ModelError("id2label doesn't name the labels 0, 1, 2, …", where=where) from error
