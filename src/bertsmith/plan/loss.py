"""The masked-LM loss that a run may be expected to end at: a simple rule, and how far to trust it.

With N parameters in the encoder's layers and D effective tokens,

    L∞ = E · (N / N_base)^−0.076 + B · D^−β          L = (L∞^−3 + U^−3)^−1/3

The second form joins it to the plateau: no model ends above U, the loss of one that knows how
frequent tokens are. D counts tokens that are seen again as worth less and less,

    D = u · (1 + R · (1 − exp(−r / R))),  R = 15

for u different tokens and r further epochs of them.

E, B and β are fitted to the runs in `loss_points.yaml`: RoBERTa's, the 12 of "When Do You Need
Billions of Words", and two short ones of ours. They are all of one size or short, so they don't
tell what size does: the exponent 0.076 is Kaplan's, of left-to-right models, and isn't fitted. The
worse end of the range has twice that exponent for what is smaller than base.

**Source**: Kaplan et al. 2020, section 1.2; Muennighoff et al. 2023, section 5, for repetition.
"""

import math
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import yaml

__all__ = ["LossRange", "effective_tokens", "expected_loss", "loss_points", "loss_rule"]

E, LOG_B, BETA = 1.2845, 11.0219, 0.5677
_SIZE_EXPONENT, _BASE_PARAMETERS = 0.076, 85.1e6
UNIGRAM_LOSS, _JOINT = 7.3, 3
_REPEATED = 15.0
# The rule misses the points it is fitted to by 2.5 % on average, 5 % at most: twice that is the
# range where there are points, and much more where there are none.
_SPREAD, _WIDE_SPREAD = 0.10, 0.25
_KNOWN_TOKENS, _KNOWN_TEXT, _KNOWN_SIZES = 1e9, 1e7, (50e6, 150e6)


@dataclass(frozen=True)
class LossRange:
    """What may be expected, in nats a masked token.

    Attributes:
        middle: the middle of the range.
        low: the better end of the range.
        high: the worse end.
        is_extrapolated: whether no such run is among those that the rule is fitted to.
    """

    middle: float
    low: float
    high: float
    is_extrapolated: bool


def expected_loss(num_parameters: float, text_tokens: float, seen_tokens: float) -> LossRange:
    """The held-out MLM loss that a run may end at, for English and a vocabulary of 30 to 50 k.

    Args:
        num_parameters: of the encoder's layers, embeddings and heads not counted.
        text_tokens: tokens of the text.
        seen_tokens: tokens that the model is shown, all epochs together.

    Example:
        >>> base_of_the_paper = expected_loss(85.1e6, 4.3e9, 131e9)
        >>> round(base_of_the_paper.middle, 2), base_of_the_paper.is_extrapolated
        (1.33, False)
    """
    least, most = _KNOWN_SIZES
    known = (
        seen_tokens >= _KNOWN_TOKENS
        and text_tokens >= _KNOWN_TEXT
        and least <= num_parameters <= most
    )
    spread = _SPREAD if known else _WIDE_SPREAD
    rule = loss_rule(num_parameters, text_tokens, seen_tokens)
    is_small = num_parameters < _BASE_PARAMETERS
    worse = loss_rule(
        num_parameters,
        text_tokens,
        seen_tokens,
        size_exponent=_SIZE_EXPONENT * (2 if is_small else 1),
    )
    low, high = rule * (1 - spread), min(worse * (1 + spread), UNIGRAM_LOSS)
    return LossRange((low + high) / 2, low, high, not known)


def loss_rule(
    num_parameters: float,
    text_tokens: float,
    seen_tokens: float,
    constants: tuple[float, float, float] = (E, LOG_B, BETA),
    size_exponent: float = _SIZE_EXPONENT,
) -> float:
    """The rule itself; `constants` are E, ln B and β."""
    lowest, log_b, beta = constants
    size = (num_parameters / _BASE_PARAMETERS) ** -size_exponent
    tokens = effective_tokens(text_tokens, seen_tokens)
    unbounded = lowest * size + math.exp(log_b - beta * math.log(tokens))
    joined: float = (unbounded**-_JOINT + UNIGRAM_LOSS**-_JOINT) ** (-1 / _JOINT)
    return joined


def effective_tokens(text_tokens: float, seen_tokens: float) -> float:
    """How many fresh tokens the seen ones are worth.

    Example:
        >>> effective_tokens(1e6, 5e5), round(effective_tokens(1e6, 4e6) / 1e6, 2)
        (500000.0, 3.72)
    """
    fresh = min(text_tokens, seen_tokens)
    epochs_again = seen_tokens / fresh - 1
    return fresh * (1 + _REPEATED * (1 - math.exp(-epochs_again / _REPEATED)))


@cache
def loss_points() -> tuple[dict[str, Any], ...]:
    """The runs that the rule is fitted to."""
    text = (resources.files("bertsmith.plan") / "loss_points.yaml").read_text(encoding="utf-8")
    return tuple(yaml.safe_load(text)["points"])
