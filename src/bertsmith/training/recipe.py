"""The recipe of a pre-training run."""

from typing import Literal, Self

from pydantic import Field, model_validator

from bertsmith._settings import Settings
from bertsmith.examples import ExampleSettings
from bertsmith.model import BertConfig
from bertsmith.training.settings import LoopSettings

__all__ = ["ModelSettings", "PretrainRecipe", "PretrainTraining"]


class ModelSettings(Settings):
    """The shape of a new model: one of Google's sizes, and what differs from it."""

    size: Literal["tiny", "mini", "small", "medium", "base", "large"] = Field(
        "base", description="one of Google's sizes: layers, hidden size, heads"
    )
    num_hidden_layers: int | None = Field(None, ge=1, description="layers L, if not the size's")
    hidden_size: int | None = Field(None, ge=1, description="hidden size D, if not the size's")
    num_attention_heads: int | None = Field(None, ge=1, description="heads N, if not the size's")
    intermediate_size: int | None = Field(
        None, ge=1, description="feed-forward size F, if not the size's"
    )
    max_position_embeddings: int = Field(512, ge=8, description="longest sequence, in tokens")
    hidden_act: Literal["gelu_tanh", "gelu_erf", "relu"] = Field(
        "gelu_tanh", description="activation; gelu_tanh is the paper's formula"
    )
    attention: Literal["bidirectional", "causal"] = Field(
        "bidirectional", description="causal: each token sees only those before it, as in GPT"
    )
    initializer_range: float = Field(
        0.02, gt=0, description="standard deviation of fresh weights, cut off at two of it"
    )
    position_init: Literal["normal", "sinusoidal"] = Field(
        "normal",
        description="first position embeddings: 'normal' is the paper's; 'sinusoidal' learns "
        "several times faster from little text",
    )
    hidden_dropout_prob: float = Field(0.1, ge=0, lt=1, description="dropout of hidden states")
    attention_probs_dropout_prob: float = Field(
        0.1, ge=0, lt=1, description="dropout of attention probabilities"
    )

    def config(self, vocab_size: int) -> BertConfig:
        """The model's configuration for a vocabulary of `vocab_size` tokens."""
        changes = self.model_dump(exclude={"size", "position_init"}, exclude_none=True)
        if "hidden_size" in changes and "intermediate_size" not in changes:
            changes["intermediate_size"] = 4 * changes["hidden_size"]
        return BertConfig.of_size(self.size, vocab_size=vocab_size, **changes)


class PretrainTraining(LoopSettings):
    """The loop of a pre-training run."""

    num_steps: int = Field(1_000_000, ge=1, description="optimizer updates of the whole run")
    budget_seconds: float | None = Field(
        None, gt=0, description="run for this long instead of num_steps; the schedule follows"
    )
    num_evaluations: int = Field(10, ge=1, description="held-out evaluations over the run")
    num_evaluation_examples: int = Field(
        2000, ge=1, description="held-out sequences that each evaluation looks at, at most"
    )
    keep_best: bool = Field(
        False,
        description="keep the checkpoint with the lowest held-out loss, too: checkpoints/best",
    )
    spike_deviations: float = Field(
        10.0,
        ge=0,
        description="a loss is a spike if it is this many deviations (1.4826 times the median "
        "absolute deviation, at least 1 % of the loss) above the median of the last 128; 0: never",
    )
    held_out_fraction: float = Field(
        0.01, gt=0, lt=1, description="share of the documents that is never trained on"
    )


class PretrainRecipe(Settings):
    """Everything that decides a pre-training run, apart from the store."""

    model: ModelSettings = ModelSettings()
    examples: ExampleSettings = ExampleSettings()
    training: PretrainTraining = PretrainTraining()

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        longest, positions = self.examples.max_seq_length, self.model.max_position_embeddings
        if longest > positions:
            raise ValueError(
                f"examples.max_seq_length {longest} is over "
                f"model.max_position_embeddings {positions}"
            )
        if self.model.attention == "causal" and self.examples.next_sentence:
            raise ValueError(
                "model.attention=causal needs examples.next_sentence=false: "
                "a causal [CLS] sees only itself"
            )
        if self.model.attention == "causal" and self.examples.whole_word_masking:
            raise ValueError(
                "model.attention=causal needs examples.whole_word_masking=false: "
                "every token is predicted from those before it, and none is masked"
            )
        return self
