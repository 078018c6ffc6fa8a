"""The rule for the loss: fitted to its points, and honest about what it doesn't know."""

import statistics

import numpy as np
import pytest
from scipy.optimize import least_squares

from bertsmith.model import SIZES, BertConfig
from bertsmith.plan.loss import (
    BETA,
    LOG_B,
    UNIGRAM_LOSS,
    E,
    effective_tokens,
    expected_loss,
    loss_points,
    loss_rule,
)
from bertsmith.plan.planning import _encoder_parameters


def errors(constants):
    """Relative errors of the rule at the points that it is fitted to; size has no part in it."""
    return [
        np.log(loss_rule(85.1e6, p["text_tokens"], p["seen_tokens"], tuple(constants)) / p["loss"])
        for p in loss_points()
    ]


def test_the_rule_is_fitted_to_its_points():
    fit = least_squares(errors, [1.0, 8.0, 0.45])
    assert fit.x == pytest.approx([E, LOG_B, BETA], rel=2e-3)
    # What the docs say: 2.5 % on average, 5 % at most.
    assert statistics.pstdev(errors((E, LOG_B, BETA))) < 0.026
    assert max(map(abs, errors((E, LOG_B, BETA)))) < 0.052


@pytest.mark.parametrize("point", loss_points(), ids=lambda point: point["name"])
def test_every_point_lies_in_its_range(point):
    found = expected_loss(point["parameters"], point["text_tokens"], point["seen_tokens"])
    assert found.low <= point["loss"] <= found.high


def test_more_is_never_worse():
    for tokens in (1e6, 1e8, 1e10):
        sizes = [expected_loss(n, tokens, tokens).middle for n in (4e5, 3e6, 2e7, 8.6e7, 3e8)]
        assert sizes == sorted(sizes, reverse=True)
    seen = [expected_loss(8.5e7, 1e7, tokens).middle for tokens in (1e5, 1e6, 1e7, 1e8, 1e9, 1e12)]
    assert seen == sorted(seen, reverse=True)
    assert max(seen) <= UNIGRAM_LOSS
    # Sixteen times its text is all that a text can be worth.
    assert effective_tokens(1e6, 1e12) == pytest.approx(16e6)


def test_what_is_no_base_is_said_to_be_a_guess():
    assert expected_loss(4e5, 1e9, 1e9).is_extrapolated
    assert expected_loss(8.5e7, 1e9, 1e7).is_extrapolated
    assert not expected_loss(8.5e7, 1e9, 1e10).is_extrapolated
    extrapolated = {
        size: expected_loss(
            _encoder_parameters(BertConfig.of_size(size, vocab_size=10)), 1e9, 1e10
        ).is_extrapolated
        for size in SIZES
    }
    assert [size for size in SIZES if not extrapolated[size]] == ["base"]
    assert max(point["parameters"] for point in loss_points()) < 1e8, "so large is none of them"
