from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertsmith.errors import InputError
from bertsmith.inference.windows import Span, max_context_owner, overlapping_spans


@given(st.integers(1, 300), st.integers(1, 60), st.integers(1, 80))
def test_windows_cover_every_token(num_tokens, length, stride):
    spans = overlapping_spans(num_tokens, length, stride)
    assert {t for span in spans for t in range(span.start, span.stop)} == set(range(num_tokens))
    assert all(1 <= span.length <= length for span in spans)
    assert all(span.stop < num_tokens for span in spans[:-1])
    steps = {b.start - a.start for a, b in pairwise(spans)}
    assert steps <= {min(length, stride)}


@given(st.integers(1, 200), st.integers(1, 40), st.integers(1, 50))
def test_owner_has_the_highest_score_of_all_windows(num_tokens, length, stride):
    spans = overlapping_spans(num_tokens, length, stride)
    for token, owner in enumerate(max_context_owner(spans, num_tokens)):
        # Google's own walk over the spans: the first of those with the highest score.
        best_score, best = None, None
        for index, span in enumerate(spans):
            if not span.start <= token <= span.start + span.length - 1:
                continue
            left = token - span.start
            right = span.start + span.length - 1 - token
            score = min(left, right) + 0.01 * span.length
            if best_score is None or score > best_score:
                best_score, best = score, index
        assert owner == best


def test_max_context_of_googles_comment():
    # "the man went to the store and bought a gallon of milk", windows of 5 words, stride 3: the
    # word "bought" has 4 left and 0 right in one window, 1 left and 3 right in the next.
    spans = [Span(0, 5), Span(3, 5), Span(6, 5)]
    assert max_context_owner(spans, 11)[7] == 2


@pytest.mark.parametrize(("length", "stride"), [(0, 1), (-2, 1), (5, 0)])
def test_no_room_or_no_stride(length, stride):
    with pytest.raises(InputError, match=r"max_seq_length|stride"):
        overlapping_spans(10, length, stride)
