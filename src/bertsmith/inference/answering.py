"""Extractive question answering: windows over a long context, and the best spans in them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bertsmith.errors import InputError, ModelError
from bertsmith.inference.windows import max_context_owner, overlapping_spans
from bertsmith.wordpiece import Tokenizer

__all__ = [
    "AnswerCandidates",
    "AnswerSpan",
    "AnswerWindow",
    "answer_windows",
    "best_answers",
    "choose_answer",
]


@dataclass(frozen=True)
class AnswerWindow:
    """One model input, `[CLS] question [SEP] part of the context [SEP]`.

    Attributes:
        input_ids: token ids, [S].
        token_type_ids: 0 up to and including the first `[SEP]`, then 1, [S].
        context_start: index in `input_ids` of the first context token.
        offsets: for every context token of the window, its (start, end) characters in the context.
        is_max_context: for every context token of the window, whether no other window shows more
            of its surroundings. True in exactly one window for each token of the context.
    """

    input_ids: list[int]
    token_type_ids: list[int]
    context_start: int
    offsets: list[tuple[int, int]]
    is_max_context: list[bool]


@dataclass(frozen=True)
class AnswerSpan:
    """A piece of the context: `text == context[start:end]`; `score` is start + end logit."""

    text: str
    start: int
    end: int
    score: float


@dataclass(frozen=True)
class AnswerCandidates:
    """The best spans of a context and what speaks for "no answer".

    Attributes:
        spans: best first, at least one, no two with the same text.
        null_score: the smallest start + end logit at `[CLS]` over all windows: a question counts
            as unanswerable only if every window says so.
        is_null: whether "no answer" was chosen.
    """

    spans: list[AnswerSpan]
    null_score: float
    is_null: bool = False

    @property
    def null_difference(self) -> float:
        """Null score minus the best span's score: the higher, the likelier there's no answer."""
        return self.null_score - self.spans[0].score


def answer_windows(
    question: str,
    context: str,
    tokenizer: Tokenizer,
    *,
    max_seq_length: int = 384,
    stride: int = 128,
    max_query_length: int = 64,
) -> list[AnswerWindow]:
    """Cuts a context into windows that fit the model beside the question.

    **Source**: google-research/bert `run_squad.py`, `convert_examples_to_features`.

    Args:
        question: the question; tokens beyond `max_query_length` are dropped.
        context: the text that holds the answer, of any length.
        tokenizer: turns both into ids; its offsets tie tokens to the context.
        max_seq_length: tokens in a window, `[CLS]` and two `[SEP]` counted.
        stride: context tokens between the starts of two windows.
        max_query_length: question tokens that are kept.

    Returns:
        The windows from left to right, at least one.

    Raises:
        InputError: the context holds no token, or the question leaves no room for it.

    Example:
        >>> from bertsmith.wordpiece import Vocabulary
        >>> words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "who", "ann", "met", "bob", "."]
        >>> tokenizer = Tokenizer(Vocabulary(tuple(words)))
        >>> windows = answer_windows("Who?", "Ann met Bob.", tokenizer, max_seq_length=8, stride=2)
        >>> [window.input_ids for window in windows]
        [[2, 5, 1, 3, 6, 7, 8, 3], [2, 5, 1, 3, 8, 9, 3]]
        >>> windows[1].offsets, windows[1].is_max_context
        ([(8, 11), (11, 12)], [False, True])
    """
    vocabulary = tokenizer.vocabulary
    question_ids = tokenizer.token_ids(question)[:max_query_length]
    pieces = tokenizer.pieces(context)
    if not pieces.ids:
        raise InputError("holds no text", where="context", fix="give the text to search")
    head = [vocabulary.cls_id, *question_ids, vocabulary.sep_id]
    spans = overlapping_spans(len(pieces.ids), max_seq_length - len(head) - 1, stride)
    owners = max_context_owner(spans, len(pieces.ids))
    return [
        AnswerWindow(
            input_ids=[*head, *pieces.ids[span.start : span.stop], vocabulary.sep_id],
            token_type_ids=[0] * len(head) + [1] * (span.length + 1),
            context_start=len(head),
            offsets=list(pieces.offsets[span.start : span.stop]),
            is_max_context=[owner == index for owner in owners[span.start : span.stop]],
        )
        for index, span in enumerate(spans)
    ]


def best_answers(
    context: str,
    windows: Sequence[AnswerWindow],
    start_logits: Sequence[ArrayLike],
    end_logits: Sequence[ArrayLike],
    *,
    n_best: int = 20,
    max_answer_length: int = 30,
) -> AnswerCandidates:
    """Finds the best spans over all windows of one context.

    score(i, j) = start_logits[i] + end_logits[j], with i ≤ j < i + max_answer_length, both in the
    context, and i in the window that has its maximum context

    **Source**: section 4.2 of the paper; google-research/bert `run_squad.py`, `write_predictions`.

    **Differs**: Google looks at pairs of the 20 best starts and 20 best ends of each window,
    question and padding included, and can be left with none; here every valid span competes, as
    the paper's formula says. Google projects the span on white-space words and then strips them
    back by aligning characters (`get_final_text`), and keeps the whole words where that fails
    (`[UNK]`, expanding characters); here the context is cut at the tokens' exact offsets.

    Args:
        context: the text that the windows were cut from.
        windows: from `answer_windows`.
        start_logits: one array [S or longer] for each window; what lies beyond S is padding.
        end_logits: likewise.
        n_best: how many spans to keep, at least 1.
        max_answer_length: tokens in an answer, at least 1.

    Returns:
        Up to `n_best` spans with different texts, best first (ties: the leftmost), and the null
        score.

    Raises:
        InputError: `n_best` or `max_answer_length` is below 1, or there isn't one array a window.
        ModelError: a logit of a context token is not finite.

    Example:
        >>> window = AnswerWindow([2, 5, 3, 6, 7, 3], [0, 0, 0, 1, 1, 1], 3,
        ...                       [(0, 3), (4, 7)], [True, True])
        >>> found = best_answers("Ann met", [window], [[1, 0, 0, 2, 5, 0]], [[1, 0, 0, 3, 4, 0]])
        >>> found.spans[0]
        AnswerSpan(text='met', start=4, end=7, score=9.0)
        >>> found.null_score
        2.0
    """
    if n_best < 1 or max_answer_length < 1:
        raise InputError("n_best and max_answer_length are at least 1")
    if not len(windows) == len(start_logits) == len(end_logits):
        raise InputError(f"one array of logits for each of {len(windows)} windows is needed")
    tables: list[NDArray[np.float64]] = []
    null_score = np.inf
    for window, start_values, end_values in zip(windows, start_logits, end_logits, strict=True):
        starts = np.asarray(start_values, dtype=np.float64)
        ends = np.asarray(end_values, dtype=np.float64)
        null_score = min(null_score, float(starts[0] + ends[0]))
        tables.append(_span_scores(window, starts, ends, max_answer_length))
    spans: dict[str, AnswerSpan] = {}
    for index, start, length, score in _best_first(tables, n_best):
        offsets = windows[index].offsets
        first, last = offsets[start][0], offsets[start + length][1]
        spans.setdefault(context[first:last], AnswerSpan(context[first:last], first, last, score))
        if len(spans) == n_best:
            break
    return AnswerCandidates(list(spans.values()), null_score)


def choose_answer(
    candidates: AnswerCandidates, *, null_threshold: float | None = None
) -> AnswerSpan | None:
    """The answer to give: the best span, or None where "no answer" wins.

    None iff null_score − best span's score > null_threshold.

    **Source**: section 4.3 of the paper; google-research/bert's `null_score_diff_threshold`.

    Args:
        candidates: from `best_answers`.
        null_threshold: in logits; found on the development set. None: an answer is always given.

    Returns:
        The best span or None.

    Example:
        >>> candidates = AnswerCandidates([AnswerSpan("Ann", 0, 3, 2.0)], null_score=3.0)
        >>> choose_answer(candidates, null_threshold=0.0) is None
        True
        >>> choose_answer(candidates, null_threshold=1.5).text
        'Ann'
    """
    if null_threshold is not None and candidates.null_difference > null_threshold:
        return None
    return candidates.spans[0]


def _span_scores(
    window: AnswerWindow,
    starts: NDArray[np.float64],
    ends: NDArray[np.float64],
    max_answer_length: int,
) -> NDArray[np.float64]:
    """Scores [context tokens, lengths] of all spans by start and length − 1; −inf if invalid."""
    num_tokens = len(window.offsets)
    context = slice(window.context_start, window.context_start + num_tokens)
    if len(starts) < context.stop or len(ends) < context.stop:
        raise InputError(f"{len(starts)} logits for a window of {len(window.input_ids)} tokens")
    if not (np.isfinite(starts[context]).all() and np.isfinite(ends[context]).all()):
        raise ModelError("gives answer logits that are not finite", fix="check its training")
    longest = min(max_answer_length, num_tokens)
    padded_ends = np.concatenate([ends[context], np.full(longest - 1, -np.inf)])
    scores: NDArray[np.float64] = starts[context, None] + np.lib.stride_tricks.sliding_window_view(
        padded_ends, longest
    )
    scores[~np.asarray(window.is_max_context)] = -np.inf
    return scores


def _best_first(
    tables: list[NDArray[np.float64]], n_best: int
) -> Iterator[tuple[int, int, int, float]]:
    """All valid spans, best first, as (window, start, length − 1, score).

    Ever larger heads of the ranking are sorted, because few are asked for.
    """
    flat = np.concatenate([table.ravel() for table in tables])
    bounds = np.cumsum([0, *(table.size for table in tables)])
    num_valid = int(np.isfinite(flat).sum())
    num_given, num_wanted = 0, 4 * n_best
    while num_given < num_valid:
        num_wanted = min(num_wanted, num_valid)
        threshold = np.partition(flat, -num_wanted)[-num_wanted]
        head = np.flatnonzero(flat >= threshold)
        ranking = head[np.argsort(-flat[head], kind="stable")]
        for place in ranking[num_given:]:
            index = int(np.searchsorted(bounds, place, side="right")) - 1
            start, length = divmod(int(place - bounds[index]), tables[index].shape[1])
            yield index, start, length, float(flat[place])
        num_given, num_wanted = len(ranking), 4 * num_wanted
