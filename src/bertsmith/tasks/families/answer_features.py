"""Windows over a context, labelled with where the answer stands in them."""

import unicodedata
from dataclasses import dataclass

from bertsmith.inference.answering import AnswerWindow
from bertsmith.tasks.data.questions import Answer, Question

__all__ = ["AnswerFeature", "answer_label", "is_lost"]


@dataclass(frozen=True)
class AnswerFeature:
    """A window over a context, with the offsets of the answer's first and last token in it.

    The label is (0, 0), the [CLS], where the window doesn't hold the whole answer or there is
    none; None where nobody says.
    """

    window: AnswerWindow
    example_index: int
    label: tuple[int, int] | None

    @property
    def input_ids(self) -> list[int]:
        """Token ids, [S]."""
        return self.window.input_ids

    @property
    def token_type_ids(self) -> list[int]:
        """Question 0, context 1, [S]."""
        return self.window.token_type_ids

    @property
    def num_tokens(self) -> int:
        """Length in tokens."""
        return len(self.window.input_ids)


def is_lost(question: Question) -> bool:
    """Whether the question has answers, and none stands in the context where it should."""
    return bool(question.answers) and all(a.start is None for a in question.answers or ())


def answer_label(example: Question, window: AnswerWindow) -> tuple[int, int] | None:
    """Where the answer's first and last token stand in the window's `input_ids`."""
    if example.answers is None or is_lost(example):
        return None
    located = [answer for answer in example.answers if answer.start is not None]
    if not located:
        return (0, 0)
    answer = located[0]
    start, end = _visible_span(example.context, answer)
    if start < window.offsets[0][0] or end > window.offsets[-1][1]:
        return (0, 0)
    # A tokenizer that keeps case keeps marks as well: what it has of them is part of the answer.
    start = answer.start or 0
    end = start + len(answer.text)
    touched = [
        place for place, (first, last) in enumerate(window.offsets) if first < end and last > start
    ]
    if not touched:
        return (0, 0)
    return window.context_start + touched[0], window.context_start + touched[-1]


def _visible_span(context: str, answer: Answer) -> tuple[int, int]:
    """The answer's characters without white space, controls and marks at its ends.

    The tokenizer drops them, so no token may cover them; else an answer at the rim of a window
    would count as cut off.
    """
    start = answer.start or 0
    end = start + len(answer.text)
    while end - start > 1 and _is_dropped(context[end - 1]):
        end -= 1
    while end - start > 1 and _is_dropped(context[start]):
        start += 1
    return start, end


def _is_dropped(character: str) -> bool:
    return character.isspace() or unicodedata.category(character) in ("Mn", "Cc", "Cf")
