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
from bertsmith.inference.features import TokenFeatures, write_features
from bertsmith.inference.loading import Runner, RunnerOptions
from bertsmith.inference.pipelines import TASKS, Pipeline, pipeline
from bertsmith.inference.predicting import predict_rows
from bertsmith.inference.reading import InputRow, read_inputs
from bertsmith.inference.running import run_packed, split_tokens
from bertsmith.inference.tagging import TagWindow, tag_windows

__all__ = [
    "TASKS",
    "AnswerCandidates",
    "AnswerSpan",
    "AnswerWindow",
    "Entity",
    "InputRow",
    "Pipeline",
    "Runner",
    "RunnerOptions",
    "TagScheme",
    "TagWindow",
    "TokenFeatures",
    "answer_windows",
    "best_answers",
    "choose_answer",
    "decode_tags",
    "encode_tags",
    "pipeline",
    "predict_rows",
    "read_inputs",
    "run_packed",
    "scheme_of",
    "split_tokens",
    "tag_windows",
    "write_features",
]
