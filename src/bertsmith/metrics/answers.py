"""Scores of answers to questions: SQuAD's exact match and F1, and the no-answer threshold."""

import re
import string
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from bertsmith.metrics._checks import require_pairs

__all__ = [
    "AnswerScores",
    "NullThreshold",
    "answer_scores",
    "best_null_threshold",
    "exact_match",
    "normalize_answer",
    "token_f1",
]

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_DROP_PUNCTUATION = str.maketrans("", "", string.punctuation)


@dataclass(frozen=True)
class AnswerScores:
    """Exact match and F1 averaged over questions, each from 0 to 1."""

    exact_match: float
    f1: float


@dataclass(frozen=True)
class NullThreshold:
    """The threshold over which "no answer" is given, and the score that it reaches.

    Attributes:
        threshold: the question has no answer iff its null difference exceeds this, in logits.
        score: the mean score with this threshold, from 0 to 1.
    """

    threshold: float
    score: float


def normalize_answer(text: str) -> str:
    """Lower-cases, drops ASCII punctuation and English articles, and closes up white space.

    **Source**: SQuAD's official evaluation script.

    Example:
        >>> normalize_answer("The  Eiffel-Tower, a landmark.")
        'eiffeltower landmark'
    """
    text = text.lower().translate(_DROP_PUNCTUATION)
    return " ".join(_ARTICLES.sub(" ", text).split())


def exact_match(answers: Sequence[str], prediction: str) -> float:
    """1.0 if the prediction equals one of the answers after `normalize_answer`, else 0.0.

    Args:
        answers: the right answers; none means that the question has no answer, and then only ""
            is right.
        prediction: the predicted text, "" for "no answer".

    Example:
        >>> exact_match(["the Alps", "Alps mountains"], "Alps"), exact_match([], "Alps")
        (1.0, 0.0)
    """
    normalized = normalize_answer(prediction)
    return float(any(normalize_answer(answer) == normalized for answer in answers or [""]))


def token_f1(answers: Sequence[str], prediction: str) -> float:
    """The best F1 between the words of the prediction and those of one of the answers.

    **Source**: SQuAD's official evaluation scripts. The one of 2.0 leaves out answers of articles
    and punctuation alone before it scores; the one of 1.1 keeps them, and they never match here.

    Args:
        answers: the right answers; none means that the question has no answer, and then the
            score is 1 for a prediction without words, else 0.
        prediction: the predicted text, "" for "no answer".

    Example:
        >>> round(token_f1(["the French Alps"], "Alps"), 4), token_f1([], "")
        (0.6667, 1.0)
    """
    words = normalize_answer(prediction).split()
    if not answers:
        return float(not words)
    return max(_f1(normalize_answer(answer).split(), words) for answer in answers)


def answer_scores(answers: Sequence[Sequence[str]], predictions: Sequence[str]) -> AnswerScores:
    """Exact match and F1 over all questions.

    Args:
        answers: for every question its right answers; none for a question without answer.
        predictions: for every question the predicted text, "" for "no answer".

    Raises:
        DataError: the lists differ in length or are empty.

    Example:
        >>> answer_scores([["Paris"], []], ["Paris", "London"])
        AnswerScores(exact_match=0.5, f1=0.5)
    """
    require_pairs(answers, predictions)
    pairs = list(zip(answers, predictions, strict=True))
    return AnswerScores(
        exact_match=sum(exact_match(wanted, found) for wanted, found in pairs) / len(pairs),
        f1=sum(token_f1(wanted, found) for wanted, found in pairs) / len(pairs),
    )


def best_null_threshold(
    scores: Sequence[float], has_answer: Sequence[bool], null_differences: Sequence[float]
) -> NullThreshold:
    """Finds the threshold with the best mean score, "no answer" given above it.

    mean over questions of: their score where null difference ≤ threshold, else 1 if they have no
    answer and 0 if they have one

    **Source**: `find_best_thresh` of SQuAD 2.0's official evaluation script.

    **Differs**: questions with equal differences are taken together, since no threshold parts
    them; and if it is best never to answer, the threshold lies below all differences instead of
    at 0.

    Args:
        scores: for every question the score of its predicted text, which is never "", from 0 to
            1; that of a question without answer counts as 0, whatever it is.
        has_answer: for every question whether it has an answer.
        null_differences: for every question the score of "no answer" minus the predicted text's.

    Returns:
        The lowest of the best thresholds, and its score.

    Raises:
        DataError: the lists differ in length or are empty.

    Example:
        >>> best_null_threshold([1.0, 0.0, 0.5], [True, False, True], [-3.0, 4.0, 1.0])
        NullThreshold(threshold=1.0, score=0.8333333333333334)
    """
    require_pairs(scores, has_answer)
    require_pairs(scores, null_differences)
    order = sorted(range(len(scores)), key=null_differences.__getitem__)
    current = float(sum(not answerable for answerable in has_answer))
    best = NullThreshold(null_differences[order[0]] - 1.0, current)
    for place, index in enumerate(order):
        current += scores[index] if has_answer[index] else -1.0
        is_last = place == len(order) - 1
        value = null_differences[index]
        if (is_last or null_differences[order[place + 1]] != value) and current > best.score:
            best = NullThreshold(value, current)
    return NullThreshold(best.threshold, best.score / len(scores))


def _f1(wanted: list[str], found: list[str]) -> float:
    num_same = (Counter(wanted) & Counter(found)).total()
    return 2 * num_same / max(len(wanted) + len(found), 1)
