import json
import random
from dataclasses import replace

import numpy as np
import pytest

from bertsmith.errors import DataError
from bertsmith.inference.answering import AnswerCandidates, AnswerSpan, best_answers
from bertsmith.tasks import get_task
from bertsmith.tasks.data.questions import Answer, Question
from bertsmith.wordpiece import SPECIAL_TOKENS, Tokenizer, Vocabulary
from task_data import tiny_tokenizer

TASK = replace(get_task("squad2"), stride=2)


@pytest.fixture(scope="module")
def tokenizer():
    return tiny_tokenizer()


def question(context, text, start=None, **changes):
    found = context.find(text) if start is None else start
    answers = (Answer(text, found),) if text else ()
    return Question("id", "who?", context, changes.get("answers", answers), "a.json")


def encode(example, tokenizer, max_seq_length):
    return TASK.encode([example], tokenizer, labels=(), max_seq_length=max_seq_length)


def labelled_text(feature, context):
    """The piece of the context that a feature's label stands for, None for [CLS]."""
    first, last = feature.label
    if (first, last) == (0, 0):
        return None
    offsets, start = feature.window.offsets, feature.window.context_start
    return context[offsets[first - start][0] : offsets[last - start][1]]


@pytest.mark.parametrize("max_seq_length", [11, 12, 16, 40])
def test_labels_are_the_answer_in_every_window_that_holds_it(tokenizer, max_seq_length):
    rng = random.Random(max_seq_length)
    words = ["red", "cat", "birds", "the", "house", "."]
    for _ in range(40):
        context = " ".join(rng.choices(words, k=14))
        starts = [i for i in range(len(context)) if i == 0 or context[i - 1] == " "]
        start = rng.choice(starts)
        ends = [i for i in range(start + 1, len(context) + 1) if context[i : i + 1] in ("", " ")]
        end = rng.choice(ends[:3])
        example = question(context, context[start:end], start)
        features = TASK.encode([example], tokenizer, labels=(), max_seq_length=max_seq_length)
        held = 0
        for feature in features:
            offsets = feature.window.offsets
            holds = offsets[0][0] <= start and end <= offsets[-1][1]
            held += holds
            assert labelled_text(feature, context) == (context[start:end] if holds else None)
        assert held


def test_an_answer_cut_by_a_window_is_labelled_cls(tokenizer):
    context = "red cat red cat red cat red cat house tree red cat"
    features = encode(question(context, "house tree"), tokenizer, 8)
    texts = [labelled_text(feature, context) for feature in features]
    assert "house tree" in texts
    assert None in texts
    assert set(texts) == {None, "house tree"}


def test_an_answer_at_the_rim_with_characters_that_have_no_token(tokenizer):
    # The combining mark and the white space are dropped: the answer is whole all the same.
    context = "the cat sees a bird\u0301 "
    (feature,) = encode(question(context, " a bird\u0301 ", 12), tokenizer, 40)
    assert labelled_text(feature, context).startswith("a bird")


def test_a_mark_that_a_cased_tokenizer_keeps_is_part_of_the_answer():
    context = "क हिं ख"
    letters = dict.fromkeys(character for word in context.split() for character in word)
    tokens = [*SPECIAL_TOKENS, "who", "?", *letters, *(f"##{letter}" for letter in letters)]
    cased = Tokenizer(Vocabulary(tokens), lowercase=False)
    (feature,) = encode(question(context, "हिं"), cased, 40)
    assert labelled_text(feature, context) == "हिं"


def test_part_of_a_word_is_the_pieces_that_it_touches(tokenizer):
    context = "the cats sees"
    (feature,) = encode(question(context, "cat"), tokenizer, 40)
    assert labelled_text(feature, context) == "cat"
    (feature,) = encode(question(context, "s ", 7), tokenizer, 40)
    assert labelled_text(feature, context) == "s"
    (feature,) = encode(question(context, "at"), tokenizer, 40)
    assert labelled_text(feature, context) == "cat"


def test_no_answer_is_cls_and_a_lost_one_is_not_learnt(tokenizer):
    features = encode(question("the cat sees", ""), tokenizer, 40)
    assert [feature.label for feature in features] == [(0, 0)]
    lost = question("the cat sees", "dog", answers=(Answer("dog", None),))
    features = encode(lost, tokenizer, 40)
    assert [feature.label for feature in features] == [None]
    assert TASK.trainable(features) == []
    with pytest.raises(DataError, match="has no answer in its context"):
        TASK.collate(features)
    second = question("a cat", "", answers=(Answer("dog", None), Answer("cat", 2)))
    (feature,) = encode(second, tokenizer, 40)
    assert labelled_text(feature, "a cat") == "cat"


@pytest.mark.parametrize("max_seq_length", [11, 13, 40])
def test_logits_at_the_labels_give_the_answer_back(tokenizer, max_seq_length):
    """What training aims at is what extraction finds."""
    context = "The  red cats sees a house. A tree likes the BIRDS on the house."
    for text in ("The", "red cats", "house. A tree", "BIRDS", "house."):
        example = question(context, text)
        features = encode(example, tokenizer, max_seq_length)
        starts, ends = [], []
        for feature in features:
            for logits, place in zip((starts, ends), feature.label, strict=True):
                logits.append(np.full(feature.num_tokens, -10.0))
                logits[-1][place] = 0.0 if feature.label == (0, 0) else 10.0
        windows = [feature.window for feature in features]
        found = best_answers(context, windows, starts, ends)
        assert found.spans[0].text == text


def predictions(*pairs):
    return [AnswerCandidates([AnswerSpan(text, 0, 1, 0.0)], null) for text, null in pairs]


def test_the_null_threshold_is_found_on_the_data():
    examples = [question("a cat", "cat"), question("a dog", "dog"), question("a cat", "")]
    scores = TASK.score(examples, predictions(("cat", -2.0), ("the dog", 1.5), ("cat", 3.0)))
    assert scores == {
        "f1": 1.0,
        "exact_match": 1.0,
        "null_threshold": 1.5,
        "answerable_f1": 1.0,
        "unanswerable_accuracy": 1.0,
    }
    # No threshold gets all three right here: answering all but the last pays best.
    scores = TASK.score(examples, predictions(("cat", 4.0), ("dog", 1.5), ("cat", 3.0)))
    assert scores["f1"] == pytest.approx(2 / 3)


def test_what_is_written_is_what_is_scored(tmp_path):
    examples = [question("a cat", "cat"), question("a dog", "dog"), question("a cat", "")]
    found = predictions(("cat", -2.0), ("the dog", 1.5), ("cat", 3.0))

    def written(examples):
        TASK.write_predictions(tmp_path / "out.jsonl", examples, found)
        lines = map(json.loads, (tmp_path / "out.jsonl").read_text().splitlines())
        return [(line["prediction"], line["null_difference"]) for line in lines]

    assert written(examples) == [("cat", -2.0), ("the dog", 1.5), ("", 3.0)]
    unlabelled = [replace(example, answers=None) for example in examples]
    assert [text for text, _ in written(unlabelled)] == ["cat", "the dog", "cat"]


def test_without_unanswerable_questions_there_is_no_threshold():
    examples = [question("a cat", "cat"), question("a dog", "dog")]
    found = predictions(("cat", 99.0), ("cat", 99.0))
    expected = {"f1": 0.5, "exact_match": 0.5}
    assert TASK.score(examples, found) == expected
    assert get_task("squad").score(examples, found) == expected
