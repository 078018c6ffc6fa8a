"""Which size is worth most in the time that there is, and its recipe."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bertsmith.doctor.learning_rates import highest_adam_rate
from bertsmith.model import SIZES, BertConfig
from bertsmith.plan.corpus import PlannedCorpus
from bertsmith.plan.little_text import batch_of_little, epoch_examples, require_text
from bertsmith.plan.loss import LossRange, expected_loss
from bertsmith.plan.memory import choose_micro_batch
from bertsmith.plan.throughput import Device
from bertsmith.recipes import load_recipe
from bertsmith.training import PretrainRecipe

__all__ = ["Plan", "Planned", "make_plan"]

# Evaluation, checkpoints, starting up.
_LOST = 0.04
# What a further device adds, of one.
_SCALING = 0.92
# The paper's two phases: shares of the updates at length 128 and 512.
_LONG_SHARE, _SHORT, _LONG = 0.1, 128, 512
_MOST_STEPS, _FEWEST_STEPS, _LARGEST_BATCH, _SMALLEST_BATCH = 1_000_000, 20_000, 4096, 32
# Sizes under these hidden sizes are for texts at length 128 alone.
_HIDDEN_FOR_LONG = 512
# Parameters of the layers for each token of text: the most that a run has which the rule for the
# loss is fitted to. More are hardly better, and learn the text by heart.
_MOST_PARAMETERS = 15


@dataclass(frozen=True)
class Planned:
    """What one size would come to.

    Attributes:
        size: one of Google's.
        tokens_per_second: real tokens, all devices together, at length 128.
        num_steps: optimizer updates.
        hours: how long they take; less than there are where little text has a million of them.
        global_batch_size: sequences in each.
        micro_batch_size: sequences in a forward pass.
        epoch_examples: examples of an epoch, of the longest phase.
        is_small_batch: whether there is too little text for the batch that was to be.
        has_long_phase: whether the last tenth of the updates is at length 512.
        epochs: passes over the text.
        loss: the held-out MLM loss to expect.
        is_estimated: whether the speed rests on an estimate.
        is_too_large: whether it has too many parameters for so little text.
    """

    size: str
    tokens_per_second: float
    num_steps: int
    hours: float
    global_batch_size: int
    micro_batch_size: int
    epoch_examples: int
    is_small_batch: bool
    has_long_phase: bool
    epochs: float
    loss: LossRange
    is_estimated: bool
    is_too_large: bool


@dataclass(frozen=True)
class Plan:
    """What every size would come to, and the one to take.

    Attributes:
        sizes: all that were looked at.
        chosen: the smallest of those with the lowest expected loss, but for what is too large.
        recipe: its settings, as `bertsmith pretrain --recipe` takes them.
        hours: the time that there is; `chosen.hours` is how much of it is used.
        cost: of the hours that are used, in the currency of the price; None without a price.
    """

    sizes: tuple[Planned, ...]
    chosen: Planned
    recipe: dict[str, Any]
    hours: float
    cost: float | None


def make_plan(
    corpus: PlannedCorpus,
    device: Device,
    hours: float,
    *,
    num_devices: int = 1,
    price_per_hour: float | None = None,
    sizes: Sequence[str] = tuple(SIZES),
) -> Plan:
    """Plans a run.

    Args:
        corpus: the text.
        device: what it is trained on.
        hours: how long.
        num_devices: how many of them.
        price_per_hour: of one device.
        sizes: the sizes to look at.

    Raises:
        RecipeError: the text hasn't an example for each device.

    Example:
        >>> from bertsmith.plan import find_device
        >>> plan = make_plan(PlannedCorpus.of_bytes(10**10), find_device("a100"), hours=24)
        >>> plan.chosen.size, plan.chosen.num_steps > 10_000
        ('large', True)
    """
    require_text(corpus, _SHORT, num_devices)
    ascending = sorted(sizes, key=list(SIZES).index)
    planned = tuple(_planned(size, corpus, device, hours, num_devices) for size in ascending)
    fitting = [candidate for candidate in planned if not candidate.is_too_large] or planned[:1]
    # Hundredths of a nat are less than the rule knows: the smaller one, which comes first.
    chosen = min(fitting, key=lambda candidate: round(candidate.loss.middle, 2))
    cost = None if price_per_hour is None else price_per_hour * chosen.hours * num_devices
    return Plan(planned, chosen, _recipe(chosen), hours, cost)


def _planned(
    size: str, corpus: PlannedCorpus, device: Device, hours: float, num_devices: int
) -> Planned:
    config = BertConfig.of_size(size, vocab_size=corpus.vocab_size)
    devices = 1 + (num_devices - 1) * _SCALING
    rates = {
        length: devices * device.tokens_per_second(size, config, length, mean)
        for length, mean in corpus.mean_lengths.items()
    }
    is_long = (
        config.hidden_size >= _HIDDEN_FOR_LONG and epoch_examples(corpus, _LONG) >= num_devices
    )
    shares = {_SHORT: 1 - _LONG_SHARE, _LONG: _LONG_SHARE} if is_long else {_SHORT: 1.0}
    tokens_each = sum(share * corpus.mean_lengths[n] for n, share in shares.items())
    seconds_each = sum(share * corpus.mean_lengths[n] / rates[n] for n, share in shares.items())
    sequences = 3600 * hours * (1 - _LOST) / seconds_each
    examples = epoch_examples(corpus, max(shares))
    batch = _batch(size, sequences, num_devices)
    small = min(batch, batch_of_little(batch, examples, num_devices))
    is_small, batch = small < batch, small
    num_steps = max(1, round(sequences / batch))
    if is_small and num_steps > _MOST_STEPS:  # there is no larger batch to make fewer of them
        hours *= _MOST_STEPS / num_steps
        num_steps = _MOST_STEPS
    seen = num_steps * batch * tokens_each
    parameters = _encoder_parameters(config)
    return Planned(
        size,
        rates[_SHORT],
        num_steps,
        hours,
        batch,
        choose_micro_batch(config, device.memory_gb, batch // num_devices, is_gpu=device.is_gpu),
        examples,
        is_small,
        is_long,
        seen / corpus.epoch_tokens,
        expected_loss(parameters, corpus.num_tokens, _text_tokens(seen, corpus)),
        device.is_estimated(size) or num_devices > 1,
        parameters > _MOST_PARAMETERS * corpus.num_tokens,
    )


def _text_tokens(seen: float, corpus: PlannedCorpus) -> float:
    """Tokens of the text that are shown, of all that an example has."""
    return seen * corpus.num_tokens / corpus.epoch_tokens


def _batch(size: str, sequences: float, num_devices: int) -> int:
    """The preset's batch, doubled while there are too many updates, halved while too few.

    It is rounded up to what the devices can share.
    """
    batch = _preset(size).training.global_batch_size
    while sequences / batch > _MOST_STEPS and batch < _LARGEST_BATCH:
        batch *= 2
    while sequences / batch < _FEWEST_STEPS and batch > _SMALLEST_BATCH:
        batch //= 2
    return math.ceil(batch / num_devices) * num_devices


def _recipe(planned: Planned) -> dict[str, Any]:
    preset = _preset(planned.size)
    values = preset.model_dump(mode="json", exclude_unset=True)
    larger = planned.global_batch_size / preset.training.global_batch_size
    # Adam's noise falls with the root of the batch.
    scaled = preset.training.learning_rate * math.sqrt(larger)
    highest = highest_adam_rate(preset.model.config(vocab_size=1).hidden_size)
    values["examples"] = {**values.get("examples", {}), "max_seq_length": _SHORT}
    values["training"] |= {
        "num_steps": planned.num_steps,
        "global_batch_size": planned.global_batch_size,
        "micro_batch_size": planned.micro_batch_size,
        "learning_rate": float(f"{min(scaled, highest):.2g}"),
        "warmup_ratio": _warmup(planned.num_steps),
        "schedule": "linear",
    }
    values["phases"] = _phases(planned)
    PretrainRecipe.model_validate(values)
    return values


def _phases(planned: Planned) -> list[dict[str, Any]] | None:
    if not planned.has_long_phase:
        return None
    long = {"max_seq_length": _LONG, "micro_batch_size": max(1, planned.micro_batch_size // 4)}
    return [{"share": 1 - _LONG_SHARE}, {"share": _LONG_SHARE, **long}]


def _warmup(num_steps: int) -> float:
    """The paper's 10,000 updates, but no more than a twentieth of the run."""
    return round(min(0.05, 10_000 / num_steps), 4)


def _preset(size: str) -> PretrainRecipe:
    return load_recipe(PretrainRecipe, "pretrain", size)


def _encoder_parameters(config: BertConfig) -> int:
    D, F = config.hidden_size, config.intermediate_size
    return config.num_hidden_layers * (4 * D * D + 2 * D * F)
