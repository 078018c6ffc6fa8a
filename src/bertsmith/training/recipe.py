"""The recipe of a pre-training run."""

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from bertsmith._settings import Settings
from bertsmith.errors import RecipeError
from bertsmith.examples import ExampleSettings
from bertsmith.model import BertConfig
from bertsmith.training.phases import Phase, PhaseSettings, resolve_phases
from bertsmith.training.schedule import ClockHorizon, Horizon, StepHorizon, warmup_ratio_of
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

    num_steps: int = Field(
        1_000_000, ge=1, le=10**12, description="optimizer updates of the whole run"
    )
    budget_seconds: float | None = Field(
        None, gt=0, description="run for this long instead of num_steps; the schedule follows"
    )
    num_evaluations: int = Field(
        10,
        ge=1,
        description="held-out evaluations over the run; fewer where they "
        "would have taken more than a quarter of a --budget so far",
    )
    num_evaluation_examples: int = Field(
        2000, ge=1, description="held-out sequences that each evaluation looks at, at most"
    )
    keep_best: bool = Field(
        False,
        description="keep the checkpoint with the lowest held-out loss, too, of the latest phase: "
        "checkpoints/best",
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
    held_out_seed: int | None = Field(
        42,
        ge=0,
        lt=2**63,
        description="seed of what is held out: the documents, their pairs and their masks. Runs of "
        "another training.seed have the same, so that their scores compare; null: training.seed, "
        "as runs of older versions have it",
    )

    @property
    def resolved_held_out_seed(self) -> int:
        """The seed of what is held out, with nothing left open."""
        return self.seed if self.held_out_seed is None else self.held_out_seed

    @property
    def horizon(self) -> Horizon:
        """When the run ends."""
        if self.budget_seconds is not None:
            return ClockHorizon(self.budget_seconds)
        return StepHorizon(self.num_steps)

    @model_validator(mode="after")
    def _warmup_fits(self) -> Self:
        try:
            warmup_ratio_of(self, self.horizon)
        except RecipeError as error:
            fix = f"; {error.fix}" if error.fix else ""
            name = str(error.where).removeprefix("training.")
            raise ValueError(f"{name}: {error.what}{fix}") from None
        return self


class PretrainRecipe(Settings):
    """Everything that decides a pre-training run, apart from the store."""

    model: ModelSettings = ModelSettings()
    examples: ExampleSettings = ExampleSettings()
    training: PretrainTraining = PretrainTraining()
    phases: tuple[PhaseSettings, ...] = Field(
        (),
        description="stretches of the run, one after another, under one schedule; null: the whole "
        "run is one",
    )

    @field_validator("phases", mode="before")
    @classmethod
    def _null_is_none(cls, value: object) -> object:
        return () if value is None else value

    @property
    def resolved_phases(self) -> tuple[Phase, ...]:
        """The phases with nothing left open, at least one."""
        return resolve_phases(
            self.phases,
            self.examples,
            global_batch_size=self.training.global_batch_size,
            micro_batch_size=self.training.micro_batch_size,
        )

    @property
    def longest_sequence(self) -> int:
        """Most tokens in an example of any phase."""
        return max(phase.examples.max_seq_length for phase in self.resolved_phases)

    @model_validator(mode="after")
    def _phases_add_up(self) -> Self:
        total = sum(phase.share for phase in self.phases)
        if self.phases and abs(total - 1) > 1e-6:
            raise ValueError(f"phases: their shares add up to {total:.6g}, not 1")
        for room, settings in (("examples", self.examples), ("training", self.training)):
            for name, field in type(settings).model_fields.items():
                chosen = getattr(settings, name)
                values = [getattr(phase, name, None) for phase in self.phases]
                if values and None not in values and chosen != field.default:
                    raise ValueError(
                        f"{room}.{name}={chosen} has no effect: every phase sets its own; change "
                        f"it there (phases.0.{name}) or set phases=null"
                    )
        return self

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        longest, positions = self.longest_sequence, self.model.max_position_embeddings
        if longest > positions:
            raise ValueError(
                f"max_seq_length {longest} is over model.max_position_embeddings {positions}"
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
