"""The shape of a BERT: sizes, dropout, activation, labels."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, Self, get_args

from bertsmith.errors import ModelError

__all__ = ["SIZES", "Attention", "BertConfig", "HiddenAct", "ProblemType"]

HiddenAct = Literal["gelu_tanh", "gelu_erf", "relu"]
Attention = Literal["bidirectional", "causal"]
ProblemType = Literal["regression", "single_label_classification", "multi_label_classification"]

#: Google's sizes: layers, hidden size, attention heads. The intermediate size is 4 times hidden.
SIZES: dict[str, tuple[int, int, int]] = {
    "tiny": (2, 128, 2),
    "mini": (4, 256, 4),
    "small": (4, 512, 8),
    "medium": (8, 512, 8),
    "base": (12, 768, 12),
    "large": (24, 1024, 16),
}

_COUNTS = (
    "vocab_size",
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "intermediate_size",
    "max_position_embeddings",
    "type_vocab_size",
)
_PROBABILITIES = ("hidden_dropout_prob", "attention_probs_dropout_prob", "classifier_dropout")


@dataclass(frozen=True)
class BertConfig:
    """Everything that the shape and the numbers of a BERT depend on, beside its weights.

    The defaults are BERT-base with the English uncased vocabulary.

    **Source**: Devlin et al. 2019, section 3; google-research/bert `modeling.py`, `BertConfig`.
    **Differs**: the activation is named in full, since "gelu" means the tanh formula in Google's
    code of 2019 and the erf formula in Hugging Face's.

    Attributes:
        vocab_size: number of token ids.
        hidden_size: width of the hidden states; a multiple of `num_attention_heads`.
        num_hidden_layers: number of encoder layers.
        num_attention_heads: heads per layer.
        intermediate_size: width inside the feed-forward part.
        hidden_act: "gelu_tanh" (the paper's formula), "gelu_erf" (Hugging Face's "gelu") or
            "relu".
        hidden_dropout_prob: dropout on embeddings and on the output of every sub-layer, in [0, 1).
        attention_probs_dropout_prob: dropout on attention probabilities, in [0, 1).
        max_position_embeddings: longest sequence, in tokens.
        type_vocab_size: number of segment ids.
        initializer_range: standard deviation of the normal from which weights are drawn, before it
            is cut off at two standard deviations.
        layer_norm_eps: added to the variance inside the root.
        pad_token_id: id of `[PAD]`; kept for others, since nothing here computes on padding.
        classifier_dropout: dropout before a classifier, in [0, 1); None means
            `hidden_dropout_prob`.
        attention: "bidirectional", or "causal" for the left-to-right ablation.
        labels: names of the classes of a classification head, by id.
        problem_type: what the numbers of a classification head mean; None where it isn't said.

    Example:
        >>> BertConfig.of_size("tiny", vocab_size=100).hidden_size
        128
    """

    vocab_size: int = 30522
    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    intermediate_size: int = 3072
    hidden_act: HiddenAct = "gelu_tanh"
    hidden_dropout_prob: float = 0.1
    attention_probs_dropout_prob: float = 0.1
    max_position_embeddings: int = 512
    type_vocab_size: int = 2
    initializer_range: float = 0.02
    layer_norm_eps: float = 1e-12
    pad_token_id: int = 0
    classifier_dropout: float | None = None
    attention: Attention = "bidirectional"
    labels: tuple[str, ...] = ("LABEL_0", "LABEL_1")
    problem_type: ProblemType | None = None

    def __post_init__(self) -> None:
        """Checks every field, and that the fields fit together."""
        for name in _COUNTS:
            self._require(name, _is_int(self._of(name), 1), "a whole number above 0")
        for name in _PROBABILITIES:
            absent = name == "classifier_dropout" and self._of(name) is None
            fits = absent or (_is_number(self._of(name)) and 0 <= self._of(name) < 1)
            self._require(name, fits, "a number from 0 up to, but not, 1")
        for name in ("initializer_range", "layer_norm_eps"):
            fits = _is_number(self._of(name)) and self._of(name) > 0
            self._require(name, fits, "a number above 0")
        self._require_choice("hidden_act", get_args(HiddenAct))
        self._require_choice("attention", get_args(Attention))
        self._require_choice("problem_type", (None, *get_args(ProblemType)))
        fits = _is_int(self.pad_token_id, 0) and self.pad_token_id < self.vocab_size
        self._require("pad_token_id", fits, f"an id below vocab_size {self.vocab_size}")
        self._require(
            "hidden_size",
            self.hidden_size % self.num_attention_heads == 0,
            f"a multiple of num_attention_heads {self.num_attention_heads}",
        )
        fits = isinstance(self.labels, tuple) and all(isinstance(name, str) for name in self.labels)
        fits = fits and 0 < len(set(self.labels)) == len(self.labels)
        self._require("labels", fits, "a tuple of different names, at least one")

    @classmethod
    def of_size(cls, name: str, **changes: Any) -> Self:
        """Returns the config of one of Google's sizes, with some fields changed.

        Args:
            name: "tiny", "mini", "small", "medium", "base" or "large".
            **changes: fields to set otherwise.

        Raises:
            ModelError: if there is no such size or field, or a value is out of range.

        Example:
            >>> config = BertConfig.of_size("large")
            >>> config.num_hidden_layers, config.intermediate_size
            (24, 4096)
        """
        if name not in SIZES:
            raise ModelError(f"no such size {name!r}", where="model", fix=f"use {_list(SIZES)}")
        layers, hidden, heads = SIZES[name]
        shape = {
            "num_hidden_layers": layers,
            "hidden_size": hidden,
            "num_attention_heads": heads,
            "intermediate_size": 4 * hidden,
        }
        return cls.of_fields({**shape, **changes})

    @classmethod
    def of_fields(cls, values: Mapping[str, Any]) -> Self:
        """Returns a config with some fields given by name; the others have their defaults.

        Raises:
            ModelError: if there is no such field, or a value is out of range.
        """
        known = {field.name for field in fields(cls)}
        if unknown := sorted(values.keys() - known):
            raise ModelError(f"there is no field {unknown[0]!r}", where="model config")
        return cls(**values)

    @property
    def head_size(self) -> int:
        """Width of one attention head."""
        return self.hidden_size // self.num_attention_heads

    @property
    def num_labels(self) -> int:
        """Number of classes of a classification head."""
        return len(self.labels)

    @property
    def head_dropout_prob(self) -> float:
        """Dropout before a classifier."""
        given = self.classifier_dropout
        return self.hidden_dropout_prob if given is None else given

    def _of(self, name: str) -> Any:
        return getattr(self, name)

    def _require(self, name: str, fits: bool, wanted: str) -> None:
        if not fits:
            raise ModelError(f"{name} is {self._of(name)!r}, not {wanted}", where="model config")

    def _require_choice(self, name: str, choices: tuple[str | None, ...]) -> None:
        self._require(name, self._of(name) in choices, f"one of {_list(map(str, choices))}")


def _is_int(value: object, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _list(names: Any) -> str:
    return ", ".join(names)
