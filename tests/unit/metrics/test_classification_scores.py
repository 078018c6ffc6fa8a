import random

import pytest
import sklearn.metrics

from bertsmith.errors import DataError
from bertsmith.metrics import accuracy, binary_f1, macro_f1, matthews_correlation


def draw(seed: int, num_classes: int) -> tuple[list[int], list[int]]:
    rng = random.Random(seed)
    labels = [rng.randrange(num_classes) for _ in range(200)]
    return labels, [x if rng.random() < 0.6 else rng.randrange(num_classes) for x in labels]


@pytest.mark.parametrize("num_classes", [2, 3, 7])
@pytest.mark.parametrize("seed", range(5))
def test_scores_equal_scikit_learns(seed, num_classes):
    labels, found = draw(seed, num_classes)
    assert accuracy(labels, found) == pytest.approx(sklearn.metrics.accuracy_score(labels, found))
    mcc = sklearn.metrics.matthews_corrcoef(labels, found)
    assert matthews_correlation(labels, found) == pytest.approx(mcc, abs=1e-12)
    macro = sklearn.metrics.f1_score(labels, found, average="macro")
    assert macro_f1(labels, found) == pytest.approx(macro)
    f1 = sklearn.metrics.f1_score(labels, found, labels=[1], average=None)[0]
    assert binary_f1(labels, found, positive=1) == pytest.approx(f1)


def test_matthews_of_many_examples_does_not_overflow():
    labels = [0, 1] * 100_000
    assert matthews_correlation(labels, labels) == 1.0
    assert matthews_correlation(labels, [1 - label for label in labels]) == -1.0


@pytest.mark.parametrize("labels", [[1, 1, 1], [0, 1, 0]])
def test_matthews_of_constant_predictions_is_zero(labels):
    assert matthews_correlation(labels, [1, 1, 1]) == 0.0


def test_f1_without_positives_is_zero():
    assert binary_f1(["0", "0"], ["0", "0"], positive="1") == 0.0


@pytest.mark.parametrize(
    "metric",
    [accuracy, macro_f1, matthews_correlation, lambda a, b: binary_f1(a, b, positive=1)],
)
def test_nothing_to_score_and_differing_lengths_are_errors(metric):
    with pytest.raises(DataError, match="nothing to score"):
        metric([], [])
    with pytest.raises(DataError, match="2 predictions for 1 labels"):
        metric([1], [1, 0])
