import json
import warnings
from pathlib import Path

import pytest

from bertsmith.errors import DataError
from bertsmith.inference.entities import decode_tags
from bertsmith.metrics import entity_scores

GOLDEN = Path(__file__).parents[2] / "golden" / "metrics" / "conlleval.json"


def golden_sentences():
    golden = json.loads(GOLDEN.read_text())
    sentences = [(gold.split(), guess.split()) for gold, guess in golden["sentences"]]
    return golden, [gold for gold, _ in sentences], [guess for _, guess in sentences]


def test_scores_equal_conllevals():
    golden, labels, guesses = golden_sentences()
    wanted = [decode_tags(tags, "IOB2") for tags in labels]
    found = [decode_tags(tags, "IOB2") for tags in guesses]
    assert sum(map(len, wanted)) == golden["phrases"]
    assert sum(map(len, found)) == golden["found"]
    scores = entity_scores(wanted, found)
    line = (
        f"precision: {100 * scores.precision:6.2f}%; recall: {100 * scores.recall:6.2f}%; "
        f"FB1: {100 * scores.f1:6.2f}"
    )
    assert golden["line"].endswith(line)


def test_scores_equal_seqevals():
    _, labels, guesses = golden_sentences()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # seqeval's own imports
        from seqeval.metrics import f1_score, precision_score, recall_score
    scores = entity_scores(
        [decode_tags(tags, "IOB2") for tags in labels],
        [decode_tags(tags, "IOB2") for tags in guesses],
    )
    assert scores.precision == pytest.approx(precision_score(labels, guesses))
    assert scores.recall == pytest.approx(recall_score(labels, guesses))
    assert scores.f1 == pytest.approx(f1_score(labels, guesses))


def test_a_half_right_entity_is_wrong():
    wanted = [[("PER", 0, 2)]]
    assert entity_scores(wanted, [[("PER", 0, 2)]]).f1 == 1.0
    assert entity_scores(wanted, [[("PER", 0, 1)]]).f1 == 0.0
    assert entity_scores(wanted, [[("LOC", 0, 2)]]).f1 == 0.0


def test_entities_count_in_their_own_sentence():
    assert entity_scores([[("PER", 0, 1)], []], [[], [("PER", 0, 1)]]).f1 == 0.0


def test_without_entities_the_scores_are_zero():
    scores = entity_scores([[]], [[]])
    assert (scores.precision, scores.recall, scores.f1) == (0.0, 0.0, 0.0)


def test_nothing_to_score_is_an_error():
    with pytest.raises(DataError, match="nothing to score"):
        entity_scores([], [])
