import math
import unicodedata

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bertsmith.errors import InputError, ModelError
from bertsmith.inference import AnswerWindow, answer_windows, best_answers, choose_answer

# Accents composed and not, marks of several kinds, CJK, astral letters, zero-width and control
# characters, letters that lower-casing makes longer.
ALPHABET = st.sampled_from("ab É.'-\u0301\u0327\u093f東京大𝕏İßﬁ\u200b\u00ad\x07\t\n😀한")
TEXT = st.text(ALPHABET, min_size=1, max_size=60)


def windows_of(tokenizer, question, context, **options):
    try:
        return answer_windows(question, context, tokenizer, **options)
    except InputError:
        assert not tokenizer.token_ids(context)
        return []


@given(TEXT, TEXT, st.integers(9, 24), st.integers(1, 12))
def test_windows_hold_the_context(tokenizer, question, context, max_seq_length, stride):
    windows = windows_of(
        tokenizer,
        question,
        context,
        max_seq_length=max_seq_length,
        stride=stride,
        max_query_length=5,
    )
    if not windows:
        return
    pieces = tokenizer.pieces(context)
    vocabulary = tokenizer.vocabulary
    question_ids = tokenizer.token_ids(question)[:5]
    owned = []
    for window in windows:
        num_context = len(window.offsets)
        assert len(window.input_ids) == len(window.token_type_ids) <= max_seq_length
        assert window.input_ids[: window.context_start] == [
            vocabulary.cls_id,
            *question_ids,
            vocabulary.sep_id,
        ]
        assert window.input_ids[-1] == vocabulary.sep_id
        assert window.token_type_ids == [0] * window.context_start + [1] * (num_context + 1)
        context_ids = window.input_ids[window.context_start : -1]
        assert len(context_ids) == num_context == len(window.is_max_context)
        rows = zip(window.offsets, context_ids, window.is_max_context, strict=True)
        owned += [(offsets, token) for offsets, token, is_max in rows if is_max]
    # Every token of the context has its maximum context in exactly one window, and they rise.
    assert sorted(owned, key=lambda row: row[0]) == list(
        zip(pieces.offsets, pieces.ids, strict=True)
    )


@settings(max_examples=150)
@given(TEXT, st.integers(12, 40), st.integers(0, 10**6), st.integers(1, 6), st.integers(1, 8))
def test_best_spans_are_the_best_of_all(tokenizer, context, max_seq_length, seed, n_best, longest):
    windows = windows_of(tokenizer, "Ann?", context, max_seq_length=max_seq_length, stride=5)
    if not windows:
        return
    random = np.random.default_rng(seed)
    # Few different values, so that ties are common; the padding beyond is the best of all.
    starts = [random.integers(0, 5, len(w.input_ids) + 3).astype(np.float32) for w in windows]
    ends = [random.integers(0, 5, len(w.input_ids) + 3).astype(np.float32) for w in windows]
    for values in (*starts, *ends):
        values[-3:] = 99
    found = best_answers(context, windows, starts, ends, n_best=n_best, max_answer_length=longest)
    everything = []
    for window, start, end in zip(windows, starts, ends, strict=True):
        base = window.context_start
        for i in range(len(window.offsets)):
            for j in range(i, min(i + longest, len(window.offsets))):
                if window.is_max_context[i]:
                    bounds = window.offsets[i][0], window.offsets[j][1]
                    everything.append((float(start[base + i] + end[base + j]), *bounds))
    best = {}
    for score, first, last in sorted(everything, key=lambda row: -row[0]):
        best.setdefault(context[first:last], (score, first, last))
    assert [(s.score, s.start, s.end) for s in found.spans] == list(best.values())[:n_best]
    for span in found.spans:
        assert span.text == context[span.start : span.end] != ""
    assert found.null_score == min(s[0] + e[0] for s, e in zip(starts, ends, strict=True))


@pytest.mark.parametrize(
    ("context", "wanted"),
    [
        ("Ann lived in Québec, she said.", "Québec"),
        (unicodedata.normalize("NFD", "Ann lived in Québecé now."), "Québecé"),
        ("安は東京大に住む。", "東京大"),
        ("the \u200bİstanbul\u00ad of Ann's", "İstanbul"),
    ],
)
def test_answers_are_cut_from_the_text_as_written(tokenizer, context, wanted):
    wanted = wanted if wanted in context else unicodedata.normalize("NFD", wanted)
    place = context.index(wanted)
    (window,) = answer_windows("where?", context, tokenizer)
    starts, ends = (np.zeros(len(window.input_ids)) for _ in "se")
    inside = [
        index
        for index, (start, end) in enumerate(window.offsets)
        if start < place + len(wanted) and end > place
    ]
    starts[window.context_start + inside[0]] = ends[window.context_start + inside[-1]] = 5
    best = best_answers(context, [window], [starts], [ends]).spans[0]
    assert context[best.start : best.end] == best.text
    assert best.text.strip("\u00ad\u200b") == wanted


def one_window(num_context):
    ids = [2, 5, 3, *range(6, 6 + num_context), 3]
    offsets = [(2 * i, 2 * i + 1) for i in range(num_context)]
    return AnswerWindow(ids, [0] * len(ids), 3, offsets, [True] * num_context)


def test_null_threshold_decides(tokenizer):
    window = one_window(3)
    logits = [[4.0, 0, 0, 1, 2, 0, 0]], [[3.0, 0, 0, 0, 1, 2, 0]]
    found = best_answers("a b c", [window], *logits)
    assert (found.null_score, found.spans[0].text) == (7.0, "b c")
    assert found.null_difference == 3.0
    assert choose_answer(found) == found.spans[0]
    assert choose_answer(found, null_threshold=3.0) == found.spans[0]
    assert choose_answer(found, null_threshold=2.9) is None
    assert choose_answer(found, null_threshold=-math.inf) is None


def test_the_null_score_is_the_smallest_over_windows():
    windows = [one_window(2), one_window(2)]
    starts, ends = (
        [[5, 0, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0]],
        [[5, 0, 0, 0, 0, 0], [2, 0, 0, 0, 0, 0]],
    )
    assert best_answers("a b", windows, starts, ends).null_score == 3


@pytest.mark.parametrize("context", ["", " \n", "\x07\x08"])
def test_a_context_without_text(tokenizer, context):
    with pytest.raises(InputError, match=r"context: holds no text"):
        answer_windows("who?", context, tokenizer)


def test_wrong_arguments(tokenizer):
    with pytest.raises(InputError, match="max_seq_length"):
        answer_windows("who is in the city?", "ann", tokenizer, max_seq_length=8)
    window = one_window(2)
    zeros = [0.0] * len(window.input_ids)
    with pytest.raises(InputError, match="one array"):
        best_answers("a b", [window], [zeros], [])
    with pytest.raises(InputError, match="4 logits for a window of 6"):
        best_answers("a b", [window], [zeros[:4]], [zeros[:4]])
    with pytest.raises(InputError, match="at least 1"):
        best_answers("a b", [window], [zeros], [zeros], n_best=0)
    with pytest.raises(ModelError, match="not finite"):
        best_answers("a b", [window], [[0, 0, 0, math.nan, 0, 0]], [zeros])
