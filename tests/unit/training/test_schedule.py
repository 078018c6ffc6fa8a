import itertools
import math

import pytest
from pydantic import ValidationError

from bertsmith.errors import RecipeError
from bertsmith.recipes import load_recipe
from bertsmith.training import ClockHorizon, LoopSettings, PretrainRecipe, StepHorizon
from bertsmith.training.schedule import learning_rate_factor, warmup_ratio_of

SCHEDULES = ("linear", "google", "constant", "cosine", "trapezoidal")


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("warmup", [0.0, 0.1, 0.5])
def test_the_rate_rises_to_the_peak_and_never_again(schedule, warmup):
    points = [i / 1000 for i in range(1001)]
    factors = [learning_rate_factor(f, warmup, schedule, decay_ratio=0.3) for f in points]
    assert all(0 <= factor <= 1 for factor in factors)
    peak = round(warmup * 1000)
    assert factors[:peak] == [pytest.approx(i / peak) for i in range(peak)]
    assert factors[peak:] == sorted(factors[peak:], reverse=True)
    assert factors[peak] == pytest.approx(1 - warmup if schedule == "google" else 1)
    assert factors[-1] == (1.0 if schedule == "constant" else 0.0)
    # No jump but google's.
    steps = [abs(b - a) for a, b in itertools.pairwise(factors)]
    assert max(steps) < (warmup + 0.011 if schedule == "google" else 0.011)


def test_cosine_and_trapezoidal_are_their_formulas():
    for i in range(20):
        fraction = 0.2 + 0.04 * i
        expected = (1 + math.cos(math.pi * (fraction - 0.2) / 0.8)) / 2
        assert learning_rate_factor(fraction, 0.2, "cosine") == pytest.approx(expected)
        into_decay = max(0.0, (fraction - 0.7) / 0.3)
        for curve, decayed in (("linear", 1 - into_decay), ("1-sqrt", 1 - into_decay**0.5)):
            factor = learning_rate_factor(
                fraction, 0.2, "trapezoidal", decay_ratio=0.3, decay_curve=curve
            )
            assert factor == pytest.approx(decayed, abs=1e-7)


def test_warm_up_in_steps_is_googles():
    """`global_step / num_warmup_steps`, as long as `global_step < num_warmup_steps`."""
    horizon = StepHorizon(1_000_000)
    ratio = warmup_ratio_of(LoopSettings(num_warmup_steps=10_000), horizon)
    for step in (0, 1, 333, 9_999):
        factor = learning_rate_factor(horizon.fraction(step, 0.0), ratio, "google")
        assert factor == pytest.approx(step / 10_000)
    factor = learning_rate_factor(horizon.fraction(10_000, 0.0), ratio, "google")
    assert factor == pytest.approx(0.99)
    assert warmup_ratio_of(LoopSettings(warmup_ratio=0.3), ClockHorizon(9.0)) == 0.3


def test_warm_up_longer_than_the_run():
    settings = LoopSettings(num_warmup_steps=90, schedule="trapezoidal")
    assert warmup_ratio_of(settings, StepHorizon(120)) == 0.75
    with pytest.raises(RecipeError, match=r"num_warmup_steps: 90 is over the 80 updates"):
        warmup_ratio_of(settings, StepHorizon(100))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["training.num_warmup_steps=30", "training.num_steps=20"], "30 is over the 20 updates"),
        (
            ["training.num_warmup_steps=30", "training.budget_seconds=60"],
            "num_warmup_steps: the updates of a run with a budget aren't known before; "
            "set training.warmup_ratio instead",
        ),
        (
            ["training.schedule=trapezoidal", "training.warmup_ratio=0.9"],
            "warmup_ratio 0.9 + decay_ratio 0.2 is over 1; lower one of them",
        ),
    ],
)
def test_contradictions_are_told_in_one_line(changes, message):
    with pytest.raises(RecipeError) as error:
        load_recipe(PretrainRecipe, "pretrain", "tiny", changes)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_unknown_schedules_are_refused():
    with pytest.raises(ValidationError):
        LoopSettings(schedule="cosinus")
