import json
from pathlib import Path

import pytest

from bertsmith.errors import DataError
from bertsmith.metrics import (
    answer_scores,
    best_null_threshold,
    exact_match,
    normalize_answer,
    token_f1,
)

GOLDEN = Path(__file__).parents[2] / "golden" / "metrics" / "squad.json"


@pytest.fixture(scope="module")
def golden():
    return json.loads(GOLDEN.read_text())


def scored_answers(golden):
    """As the official script does: answers of articles and punctuation alone don't count."""
    return [
        [answer for answer in question["answers"] if normalize_answer(answer)]
        for question in golden["questions"]
    ]


def test_scores_equal_the_official_scripts(golden):
    scores = answer_scores(scored_answers(golden), [q["prediction"] for q in golden["questions"]])
    assert 100 * scores.exact_match == pytest.approx(golden["scores"]["exact"])
    assert 100 * scores.f1 == pytest.approx(golden["scores"]["f1"])


@pytest.mark.parametrize(("metric", "name"), [(exact_match, "exact"), (token_f1, "f1")])
def test_threshold_equals_the_official_scripts(golden, metric, name):
    questions = golden["questions"]
    raw = [
        metric(answers, question["prediction"])
        for answers, question in zip(scored_answers(golden), questions, strict=True)
    ]
    best = best_null_threshold(
        raw, [bool(q["answers"]) for q in questions], [q["null_difference"] for q in questions]
    )
    assert 100 * best.score == pytest.approx(golden["scores"][f"best_{name}"])
    assert best.threshold == golden["scores"][f"best_{name}_thresh"]


def test_equal_differences_are_not_parted():
    # Parted, the first would be answered and the second not: both right.
    best = best_null_threshold([1.0, 0.0], [True, False], [2.0, 2.0])
    assert best.score == 0.5


def test_never_answering_can_be_best():
    best = best_null_threshold([0.0, 0.0], [False, False], [-5.0, 3.0])
    assert best.score == 1.0
    assert best.threshold < -5.0


def test_always_answering_can_be_best():
    best = best_null_threshold([1.0, 1.0], [True, True], [-5.0, 3.0])
    assert (best.threshold, best.score) == (3.0, 1.0)


def test_no_answer_is_right_only_where_there_is_none():
    assert (exact_match([], ""), token_f1([], "")) == (1.0, 1.0)
    assert (exact_match(["x"], ""), token_f1(["x"], "")) == (0.0, 0.0)
    assert (exact_match([], "x"), token_f1([], "x")) == (0.0, 0.0)


def test_answers_without_words_are_scored_as_by_the_script_of_1_1():
    # Its dev set has the answer "." three times.
    assert (exact_match([".", "renewal"], "."), token_f1([".", "renewal"], ".")) == (1.0, 0.0)


def test_the_best_of_several_answers_counts():
    assert token_f1(["red cat", "blue dog house"], "the dog house") == pytest.approx(0.8)


def test_nothing_to_score_is_an_error():
    with pytest.raises(DataError, match="nothing to score"):
        answer_scores([], [])
    with pytest.raises(DataError, match="nothing to score"):
        best_null_threshold([], [], [])
    with pytest.raises(DataError, match="1 predictions for 2 labels"):
        answer_scores([["a"], ["b"]], ["a"])
