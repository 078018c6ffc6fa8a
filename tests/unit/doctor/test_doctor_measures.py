"""Spans, draws and limits, against the plainest way to count."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertsmith.corpus import CorpusSettings
from bertsmith.corpus.commands import Commands
from bertsmith.doctor import Limits
from bertsmith.doctor.corpus_checks._check import Draw
from bertsmith.doctor.store_measures import covered_tokens
from bertsmith.examples import ExampleSpans
from doctor_findings import parse

SPANS = st.lists(st.tuples(*[st.integers(0, 60), st.integers(1, 20)] * 2), min_size=1, max_size=40)


@given(SPANS)
def test_covered_tokens_are_counted_once(spans):
    columns = [np.array(column) for column in zip(*spans, strict=True)]
    seen = set()
    for a_start, a_length, b_start, b_length in spans:
        seen.update(range(a_start, a_start + a_length), range(b_start, b_start + b_length))
    assert covered_tokens(ExampleSpans(*columns, None)) == len(seen)


@pytest.mark.parametrize("in_turn", [False, True])
def test_a_draw_is_fair_and_bounded(in_turn):
    """Whether two kinds come one after the other or in turn."""
    draw = Draw[bool](limit=1000)
    for number in range(100_000):
        if draw.takes():
            draw.keep(number % 2 == 0 if in_turn else number < 50_000)
        assert len(draw.kept) <= 1000
    assert not draw.is_all
    assert len(draw.kept) >= 400
    # Four standard errors of 400.
    assert sum(draw.kept) / len(draw.kept) == pytest.approx(0.5, abs=0.1)


def test_a_draw_of_few_is_all():
    draw = Draw[int](limit=10)
    for number in range(10):
        assert draw.takes()
        draw.keep(number)
    assert draw.is_all
    assert draw.kept == list(range(10))


def test_limits_may_be_below():
    limits = Limits(info=0.3, warning=0.2, problem=0.1, below=True)
    assert [limits.crossed(value) for value in (0.5, 0.25, 0.15, 0.05)] == [
        None,
        ("info", 0.3),
        ("warning", 0.2),
        ("problem", 0.1),
    ]


def test_commands_keep_the_options_and_quote():
    cleaning = {"control_characters": True, "duplicates": "exact", "min_document_chars": 40}
    settings = CorpusSettings(language="de", text_column="body", cleaning=cleaning)
    commands = Commands(["my texts/*.txt", "b"], settings, "v.txt", cased=True)
    command = commands.prepare(text_form="document", errors="replace")
    assert command == (
        "bertsmith prepare 'my texts/*.txt' b --vocab v.txt -o store --cased --language de "
        "--text-column body --drop-control-characters --min-document-chars 40 --duplicates exact "
        "--text-form document --errors replace"
    )
    for line in (command, commands.vocab(size=64), commands.extend(), commands.doctor()):
        parse(line)
