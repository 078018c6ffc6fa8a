"""Windows, maximum contexts and answers equal those of google-research/bert."""

import json
from pathlib import Path

import pytest

from bertsmith.inference import answer_windows, best_answers, choose_answer
from bertsmith.wordpiece import Tokenizer, Vocabulary

RECORDED = json.loads((Path(__file__).parent / "google_answers.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer(Vocabulary(RECORDED["vocabulary"]))


@pytest.mark.parametrize("case", RECORDED["cases"], ids=lambda case: str(case["number"]))
def test_equals_google(case, tokenizer):
    windows = answer_windows(
        case["question"],
        case["context"],
        tokenizer,
        max_seq_length=case["max_seq_length"],
        stride=case["stride"],
        max_query_length=6,
    )
    assert [window.input_ids for window in windows] == case["input_ids"]
    assert [window.is_max_context for window in windows] == case["is_max_context"]
    found = best_answers(
        case["context"],
        windows,
        case["start_logits"],
        case["end_logits"],
        max_answer_length=10,
    )
    assert found.spans[0].text == case["answer"]
    assert found.null_score == pytest.approx(case["null_score"], abs=1e-9)
    assert found.null_difference == pytest.approx(case["null_difference"], abs=1e-9)
    assert choose_answer(found, null_threshold=found.null_difference + 1e-6) == found.spans[0]
    assert choose_answer(found, null_threshold=found.null_difference - 1e-6) is None


def test_the_cases_are_not_trivial():
    cases = RECORDED["cases"]
    assert sum(len(case["input_ids"]) > 2 for case in cases) >= 8
    assert sum("é" in case["answer"] or "'" in case["answer"] for case in cases) >= 2
    assert len({case["answer"] for case in cases}) > 12
