"""What the models return.

Every output exists in a packed and in a padded form. Per-token tensors are [T, ...] when packed
and [B, S, ...] when padded, with zeros at padding; per-sequence tensors are the same in both.
Shape letters: B sequences, C choices or classes, D hidden, L layers, S padded length, T packed
tokens, V vocabulary.
"""

from dataclasses import dataclass, field, replace
from typing import ClassVar, Self

from jaxtyping import Bool, Float, Int
from torch import Tensor

__all__ = [
    "BertModelOutput",
    "MaskedLMOutput",
    "ModelOutput",
    "MultipleChoiceOutput",
    "PreTrainingOutput",
    "PreTrainingSums",
    "QuestionAnsweringOutput",
    "SequenceClassifierOutput",
    "TokenClassifierOutput",
]


@dataclass(frozen=True)
class ModelOutput:
    """What all outputs share.

    Attributes:
        hidden_states: the embeddings and the output of every layer, L + 1 tensors [T, D] or
            [B, S, D]; None unless asked for.
    """

    per_token: ClassVar[tuple[str, ...]] = ()

    hidden_states: tuple[Float[Tensor, "*tokens D"], ...] | None = field(default=None, kw_only=True)

    def padded(self, attention_mask: Bool[Tensor, "B S"]) -> Self:
        """Returns the padded form of a packed output; `attention_mask` is True at tokens."""
        padded = {name: pad(getattr(self, name), attention_mask) for name in self.per_token}
        states = self.hidden_states
        if states is not None:
            states = tuple(pad(state, attention_mask) for state in states)
        return replace(self, hidden_states=states, **padded)


@dataclass(frozen=True)
class BertModelOutput(ModelOutput):
    """The encoder's output.

    Attributes:
        last_hidden_state: output of the last layer, [T, D] or [B, S, D].
        pooler_output: the pooled [CLS], [B, D]; None in a model without a pooler.
    """

    per_token = ("last_hidden_state",)

    last_hidden_state: Float[Tensor, "*tokens D"]
    pooler_output: Float[Tensor, "B D"] | None


@dataclass(frozen=True)
class PreTrainingOutput(ModelOutput):
    """Logits of both pre-training heads.

    Attributes:
        prediction_logits: for every token id, [T, V] or [B, S, V]; [P, V] where only the masked
            positions were asked for.
        seq_relationship_logits: index 0 for "B follows A", 1 for "B is random", [B, 2].
    """

    per_token = ("prediction_logits",)

    prediction_logits: Float[Tensor, "*tokens V"]
    seq_relationship_logits: Float[Tensor, "B 2"]


@dataclass(frozen=True)
class PreTrainingSums:
    """What a pre-training loss needs of both heads.

    Attributes:
        total: the masked-LM head's cross-entropy, summed over the labels; a float32 scalar.
        num_correct: how many labels have the highest logit; an int64 scalar.
        seq_relationship_logits: as in `PreTrainingOutput`, [B, 2].
    """

    total: Float[Tensor, ""]
    num_correct: Int[Tensor, ""]
    seq_relationship_logits: Float[Tensor, "B 2"]


@dataclass(frozen=True)
class MaskedLMOutput(ModelOutput):
    """Logits of the masked-LM head.

    Attributes:
        logits: for every token id, [T, V] or [B, S, V]; [P, V] where only the masked positions
            were asked for.
    """

    per_token = ("logits",)

    logits: Float[Tensor, "*tokens V"]


@dataclass(frozen=True)
class SequenceClassifierOutput(ModelOutput):
    """Logits of the classes, or the value of a regression.

    Attributes:
        logits: [B, C].
    """

    logits: Float[Tensor, "B C"]


@dataclass(frozen=True)
class TokenClassifierOutput(ModelOutput):
    """Logits of the tags.

    Attributes:
        logits: [T, C] or [B, S, C].
    """

    per_token = ("logits",)

    logits: Float[Tensor, "*tokens C"]


@dataclass(frozen=True)
class QuestionAnsweringOutput(ModelOutput):
    """Logits of the tokens that an answer starts and ends with.

    Attributes:
        start_logits: [T] or [B, S].
        end_logits: [T] or [B, S].
    """

    per_token = ("start_logits", "end_logits")

    start_logits: Float[Tensor, "*tokens"]
    end_logits: Float[Tensor, "*tokens"]


@dataclass(frozen=True)
class MultipleChoiceOutput(ModelOutput):
    """Logits of the choices.

    Attributes:
        logits: [B, C].
    """

    logits: Float[Tensor, "B C"]


def pad(values: Float[Tensor, "T *rest"], mask: Bool[Tensor, "B S"]) -> Float[Tensor, "B S *rest"]:
    """Lays packed values out where `mask` is True, in row-major order; zeros elsewhere."""
    if values.shape[0] == mask.numel():
        return values.reshape(*mask.shape, *values.shape[1:])
    padded = values.new_zeros((*mask.shape, *values.shape[1:]))
    padded[mask] = values
    return padded
