import math
import random

import pytest
import scipy.stats

from bertsmith.errors import DataError
from bertsmith.metrics import pearson_correlation, spearman_correlation


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("scale", [1.0, 1e-160, 1e150])
def test_correlations_equal_scipys(seed, scale):
    rng = random.Random(seed)
    x = [round(rng.uniform(0, 5), 1) for _ in range(60)]  # with ties
    y = [value + rng.gauss(0, 1) for value in x]
    scaled = [value * scale for value in y]
    assert pearson_correlation(x, scaled) == pytest.approx(scipy.stats.pearsonr(x, y)[0])
    assert spearman_correlation(x, scaled) == pytest.approx(scipy.stats.spearmanr(x, y)[0])


@pytest.mark.parametrize("metric", [pearson_correlation, spearman_correlation])
def test_a_constant_correlates_with_nothing(metric):
    assert metric([0.1, 0.2, 0.3], [0.1, 0.1, 0.1]) == 0.0
    assert metric([0.1, 0.1, 0.1], [0.1, 0.2, 0.3]) == 0.0
    assert metric([2.5], [2.5]) == 0.0


@pytest.mark.parametrize("metric", [pearson_correlation, spearman_correlation])
def test_perfect_is_one_and_reversed_minus_one(metric):
    values = [0.3, 1.7, 2.2, 4.9]
    assert metric(values, values) == pytest.approx(1.0)
    assert metric(values, [-value for value in values]) == pytest.approx(-1.0)


@pytest.mark.parametrize("metric", [pearson_correlation, spearman_correlation])
def test_what_cannot_be_scored_is_an_error(metric):
    with pytest.raises(DataError, match="nothing to score"):
        metric([], [])
    with pytest.raises(DataError, match="1 predictions for 2 labels"):
        metric([1, 2], [1])
    with pytest.raises(DataError, match="prediction 1 is not a finite number: nan"):
        metric([1, 2], [1, math.nan])
