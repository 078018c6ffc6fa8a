"""Text to answers: fill-mask, classify, tag, answer, next-sentence, embed, score."""

from bertsmith.inference.answering import (
    AnswerCandidates,
    AnswerSpan,
    AnswerWindow,
    answer_windows,
    best_answers,
    choose_answer,
)
from bertsmith.inference.entities import Entity, TagScheme, decode_tags, encode_tags, scheme_of
from bertsmith.inference.tagging import TagWindow, tag_windows

__all__ = [
    "AnswerCandidates",
    "AnswerSpan",
    "AnswerWindow",
    "Entity",
    "TagScheme",
    "TagWindow",
    "answer_windows",
    "best_answers",
    "choose_answer",
    "decode_tags",
    "encode_tags",
    "scheme_of",
    "tag_windows",
]
