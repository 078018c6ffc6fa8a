"""Settings of the training loop, shared by pre-training and fine-tuning."""

from typing import Literal, Self

from pydantic import Field, model_validator

from bertsmith._settings import Settings
from bertsmith.model.precision import Precision
from bertsmith.training.trackers import TrackerName

__all__ = ["FREE_TO_CHANGE", "LoopSettings", "OptimizerSettings"]

#: Settings of the loop that weights don't depend on: a run may go on with others.
FREE_TO_CHANGE = frozenset(
    f"training.{name}"
    for name in (
        "log_every_steps",
        "checkpoint_every_seconds",
        "keep_checkpoints",
        "keep_best",
        "max_skipped_updates",
        "trackers",
        "parallel",
        "activation_checkpointing",
    )
)


class OptimizerSettings(Settings):
    """Adam as BERT uses it: no decay on biases and LayerNorm, gradients clipped."""

    optimizer: Literal["adamw", "google_adam", "lamb"] = Field(
        "adamw",
        description="'adamw': Adam with decoupled decay; 'google_adam': the same without bias "
        "correction, as google-research/bert trains; 'lamb': for global batches of thousands",
    )
    learning_rate: float = Field(1e-4, gt=0, description="peak learning rate")
    weight_decay: float = Field(
        0.01, ge=0, description="decoupled weight decay, on matrices and embeddings alone"
    )
    adam_beta1: float = Field(0.9, ge=0, lt=1, description="decay of the gradient's mean")
    adam_beta2: float = Field(0.999, ge=0, lt=1, description="decay of the gradient's square")
    adam_epsilon: float = Field(1e-6, gt=0, description="added to the root of the second moment")
    max_grad_norm: float = Field(
        1.0, ge=0, description="gradients are scaled down to this global L2 norm; 0 leaves them"
    )


class LoopSettings(OptimizerSettings):
    """What every run of the loop has."""

    global_batch_size: int = Field(32, ge=1, description="sequences per optimizer update")
    micro_batch_size: int = Field(
        32, ge=1, description="sequences per forward pass; gradients of several are added up"
    )
    warmup_ratio: float = Field(
        0.1, ge=0, le=1, description="share of the run in which the learning rate rises from 0"
    )
    num_warmup_steps: int | None = Field(
        None, ge=0, description="updates in which the learning rate rises, instead of warmup_ratio"
    )
    schedule: Literal["linear", "google", "constant", "cosine", "trapezoidal"] = Field(
        "linear",
        description="after warm-up: 'linear' falls from the peak to 0; 'google' falls on the line "
        "that starts at the peak at step 0, as google-research/bert does; 'constant' stays; "
        "'cosine' falls along half a cosine; 'trapezoidal' stays, then falls over decay_ratio",
    )
    decay_ratio: float = Field(
        0.2, gt=0, le=1, description="trapezoidal: share of the run, at its end, of the decay to 0"
    )
    decay_curve: Literal["linear", "1-sqrt"] = Field(
        "linear", description="trapezoidal: how it decays; '1-sqrt' falls fast first"
    )
    precision: Precision = Field(
        "auto",
        description="precision of matrix products; weights and optimizer stay fp32. 'auto' is "
        "bf16 where the hardware multiplies it natively, else fp32; 'fp16', on GPUs alone, "
        "scales the loss and skips updates whose gradients overflow",
    )
    freeze_layers: int | None = Field(
        None,
        ge=0,
        description="freeze the embeddings and this many of the lowest layers; 0 freezes the "
        "embeddings alone; by default nothing is frozen",
    )
    compile: bool | Literal["auto"] = Field(
        "auto",
        description="compile the model with torch.compile; 'auto' does so when pre-training on a "
        "GPU",
    )
    seed: int = Field(
        42, ge=0, lt=2**63, description="seed of initial weights, masks, order and dropout"
    )
    parallel: Literal["auto", "ddp", "fsdp"] = Field(
        "auto",
        description="how several processes train one model: 'ddp' has it in each of them, 'fsdp' "
        "has it in shards; 'auto' is 'fsdp' where weights, gradients and moments would take over "
        "half of a GPU, else 'ddp'. May change when a run goes on",
    )
    activation_checkpointing: bool = Field(
        False,
        description="compute each layer's activations again in the backward pass instead of "
        "keeping them: much less memory, about a third more work. May change when a run goes on",
    )
    log_every_steps: int = Field(20, ge=1, description="optimizer updates between log lines")
    checkpoint_every_seconds: float = Field(
        600.0, gt=0, description="seconds between checkpoints (one is written at Ctrl-C too)"
    )
    keep_checkpoints: int = Field(2, ge=1, description="how many of the newest checkpoints stay")
    max_skipped_updates: int = Field(
        10,
        ge=0,
        description="an update whose loss or gradient is no number, or whose loss is a spike, is "
        "skipped; a run with more of them than this is stopped",
    )
    spike_deviations: float = Field(
        0.0,
        ge=0,
        description="a loss is a spike if it is this many deviations (1.4826 times the median "
        "absolute deviation, at least 1 % of the loss) above the median of the last 128; 0: never",
    )
    trackers: list[TrackerName] = Field(
        ["tensorboard"],
        description="where else the log goes: 'tensorboard' (files under the run's folder), "
        "'wandb', 'mlflow'; a run may go on with others",
    )

    @model_validator(mode="after")
    def _schedule_fits(self) -> Self:
        if self.schedule != "trapezoidal" or self.num_warmup_steps is not None:
            return self
        if self.warmup_ratio + self.decay_ratio > 1 + 1e-9:
            raise ValueError(
                f"warmup_ratio {self.warmup_ratio} + decay_ratio {self.decay_ratio} is over 1; "
                "lower one of them"
            )
        return self
